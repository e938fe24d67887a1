import { readFileSync } from 'node:fs';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import type { Originals } from '../../src/renderer/image/originals.js';
import { ImageRenderer, type RenderRequest } from '../../src/renderer/image/image-renderer.js';
import { RenderError } from '../../src/renderer/image/render.errors.js';
import { drawn, shelf } from './drawings.js';
import { ORIGINALS, SAMPLES } from './samples.js';

const IMAGES = 1000;
const CHAINS = 1000;
/** The service's own deadline of a render, in milliseconds, and what one operation may take that is under way then. */
const DEADLINE = 20_000;
const GRACE = 10_000;
/** Resident memory that the renders may add to the process at their peak: small files must not become large. */
const MOST_BYTES_OF_IMAGES = 300e6;
/** A chain may ask for 25 megapixels (image/limits.ts): 100 MB a frame, of which an operation holds six at most. */
const MOST_BYTES_OF_CHAINS = 6 * 160e6;

/** Numbers from 0 to below 1, the same ones in every run (mulberry32). */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** What the queue gives a render: a signal that ends it at the deadline. */
function deadline(): AbortSignal {
  const abort = new AbortController();
  setTimeout(() => {
    abort.abort(new RenderError(503, 'The image took too long to render'));
  }, DEADLINE).unref();
  return abort.signal;
}

type Random = ReturnType<typeof randomFrom>;

const below = (random: Random, end: number): number => Math.floor(random() * end);

function pick<T>(random: Random, from: readonly T[]): T {
  const picked = from[below(random, from.length)];
  if (picked === undefined) throw new Error('nothing to pick from');
  return picked;
}

/** What became of the attacks. */
class Toll {
  readonly outcomes = new Map<string, number>();
  slowest = 0;
  private readonly before = process.memoryUsage.rss();

  /** @throws what is neither an image nor a refusal. */
  async count(attack: () => Promise<{ readonly body: Buffer }>, what: string): Promise<void> {
    const start = performance.now();
    let outcome: string;
    try {
      const { body } = await attack();
      outcome = body.length > 0 ? 'image' : 'nothing';
    } catch (error) {
      if (!(error instanceof RenderError)) throw new Error(`${what} ended in`, { cause: error });
      outcome = String(error.status);
    }
    this.outcomes.set(outcome, (this.outcomes.get(outcome) ?? 0) + 1);
    this.slowest = Math.max(this.slowest, performance.now() - start);
  }

  /** At the process's peak, whenever it was. */
  get addedBytes(): number {
    return process.resourceUsage().maxRSS * 1024 - this.before;
  }

  get total(): number {
    return [...this.outcomes.values()].reduce((sum, count) => sum + count, 0);
  }
}

const mark = readFileSync(new URL(`goldens/originals/${ORIGINALS.mark}`, import.meta.url));

/** One image in each format that is decoded, an animation in those that have them. */
async function drawOriginals(): Promise<readonly Buffer[]> {
  const image = drawn(96, 64, (x, y) => [x * 2, y * 4, (x * y) % 256, 255 - ((x * 3) % 128)]);
  const film = sharp(
    await drawn(48, 96, (x, y) => [x * 5, y * 2, 90, 255])
      .raw()
      .toBuffer(),
    {
      raw: { width: 48, height: 96, channels: 4, pageHeight: 32 },
    },
  );
  return await Promise.all([
    image.clone().jpeg().toBuffer(),
    image.clone().jpeg({ progressive: true }).withMetadata({ orientation: 6 }).toBuffer(),
    image.clone().png().toBuffer(),
    image.clone().png({ palette: true, progressive: true }).toBuffer(),
    image.clone().webp().toBuffer(),
    image.clone().webp({ lossless: true }).toBuffer(),
    film.clone().webp({ delay: 50 }).toBuffer(),
    film.clone().gif({ delay: 50 }).toBuffer(),
    image.clone().avif({ effort: 0 }).toBuffer(),
    image.clone().tiff({ compression: 'lzw' }).toBuffer(),
  ]);
}

type Mutation<T> = (value: T, random: Random) => T;

/** Bytes that sizes, counts and lengths are known to break at. */
const EDGES = [0x00, 0x01, 0x7f, 0x80, 0xfe, 0xff];

const spoil = (file: Buffer, random: Random, times: number, end: number): Buffer => {
  const spoiled = Buffer.from(file);
  for (let count = 0; count < times; count += 1) {
    const at = below(random, Math.min(end, file.length));
    spoiled[at] = random() < 0.5 ? (spoiled[at] ?? 0) ^ (1 << below(random, 8)) : pick(random, EDGES);
  }
  return spoiled;
};

const FILE_MUTATIONS: readonly Mutation<Buffer>[] = [
  (file, random) => spoil(file, random, 1, file.length),
  (file, random) => spoil(file, random, 1 + below(random, 40), file.length),
  // Where sizes, counts and offsets are.
  (file, random) => spoil(file, random, 1 + below(random, 4), 48),
  (file, random) => spoil(file, random, 1 + below(random, 8), 400),
  (file, random) => file.subarray(0, below(random, file.length)),
  (file, random) => {
    const at = below(random, file.length);
    return Buffer.concat([file.subarray(0, at), file.subarray(at + below(random, 64))]);
  },
  (file, random) => {
    const at = below(random, file.length);
    const length = below(random, file.length - at);
    return Buffer.concat([file.subarray(0, at + length), file.subarray(at)]);
  },
  (file, random) => {
    const at = below(random, file.length);
    return Buffer.from(file).fill(pick(random, EDGES), at, Math.min(file.length, at + below(random, 64)));
  },
  // A length of 32 bits, in either order of bytes.
  (file, random) => {
    const wild = Buffer.from(file);
    const at = below(random, Math.min(200, file.length - 4));
    const value = pick(random, [0, 0x7fffffff, 0x80000000, 0xffffffff, 65_535, 1 << 24]);
    if (random() < 0.5) wild.writeUInt32BE(value >>> 0, at);
    else wild.writeUInt32LE(value >>> 0, at);
    return wild;
  },
];

const FORMATS = ['png', 'jpg', 'webp', 'gif', ''] as const;

describe(`${IMAGES} mutated images`, { timeout: 300_000 }, () => {
  it('are images or refused, in time and in memory', async () => {
    const random = randomFrom(20_240_601);
    const originals = await drawOriginals();
    const toll = new Toll();
    for (let index = 0; index < IMAGES; index += 1) {
      const original = originals[index % originals.length] ?? mark;
      const mutation = pick(random, FILE_MUTATIONS);
      const body = mutation(original, random);
      const asLayer = random() < 0.2;
      const renderer = new ImageRenderer(
        shelf({ 'private/photo': asLayer ? mark : body, 'upload/layer': body }),
      );
      const request: RenderRequest = {
        deliveryType: 'private',
        publicId: 'photo',
        chain: asLayer
          ? ['l_layer,w_30']
          : pick(random, [['c_fill,h_40,w_40'], ['c_crop,w_50', 'e_sharpen'], ['w_20'], ['r_max', 'a_10']]),
        format: pick(random, FORMATS),
        accept: undefined,
      };
      await toll.count(() => renderer.render(request, deadline()), `image ${index} (${body.length} bytes)`);
    }
    report('images', toll);
    expect(toll.total).toBe(IMAGES);
    expect(['400', 'image']).toEqual(expect.arrayContaining([...toll.outcomes.keys()]));
    // Neither did all of them break, nor none.
    expect(toll.outcomes.get('400')).toBeGreaterThan(IMAGES / 10);
    expect(toll.outcomes.get('image')).toBeGreaterThan(IMAGES / 10);
    expect(toll.slowest).toBeLessThan(DEADLINE + GRACE);
    expect(toll.addedBytes).toBeLessThan(MOST_BYTES_OF_IMAGES);
  });
});

const WILD = [
  '0',
  '-1',
  '65500',
  '65501',
  '99999999999999999999',
  '0.0001',
  '1e9',
  'NaN',
  '..',
  '%2e%2e%2f',
  '..%2f..%2f..%2fetc%2fpasswd',
  '%00',
  '%',
  '%E0%A4%A',
  '%EF%BF%BF',
  '__proto__',
  'constructor',
  '$(x)',
  'iw_pow_iw_pow_iw',
  'ih_mod_0',
  'w_div_0',
  'fetch:aHR0cDovLzEyNy4wLjAuMS8',
  'text:Arial_1000:%F0%9F%92%A3%0A%0A',
  'private:..:..:secrets',
  'private:photo',
] as const;

const PARAMETERS = SAMPLES.flatMap(({ chain }) => chain.flatMap((component) => component.split(',')));

const CHAIN_MUTATIONS: readonly Mutation<readonly string[]>[] = [
  // A number becomes another one.
  (chain, random) => inOne(chain, random, (text) => text.replace(/\d+(?:\.\d+)?/, () => pick(random, WILD))),
  (chain, random) =>
    inOne(chain, random, (text) => {
      const numbers = [...text.matchAll(/\d+/g)];
      if (numbers.length === 0) return text;
      const { index, 0: digits } = pick(random, numbers);
      const value = pick(random, ['0', '1', '9', '100', '999', '4000', '65500', `${digits}0`, `-${digits}`]);
      return text.slice(0, index) + value + text.slice(index + digits.length);
    }),
  // A value becomes another one.
  (chain, random) => inOne(chain, random, (text) => text.replace(/_[^,]*/, () => `_${pick(random, WILD)}`)),
  // One character is another, gone, or twice there.
  (chain, random) =>
    inOne(chain, random, (text) => {
      const at = below(random, text.length);
      const other = pick(random, [
        '',
        '_',
        ':',
        ',',
        '.',
        '%',
        '-',
        '9',
        'a',
        ' ',
        '\u0000',
        'é',
        text[at] ?? '',
      ]);
      return text.slice(0, at) + other + text.slice(at + (random() < 0.5 ? 1 : 0));
    }),
  // One more parameter, of any other sample.
  (chain, random) => inOne(chain, random, (text) => `${text},${pick(random, PARAMETERS)}`),
  (chain, random) => {
    const at = below(random, chain.length + 1);
    return [...chain.slice(0, at), pick(random, PARAMETERS), ...chain.slice(at)];
  },
  (chain, random) => [...chain, ...pick(random, SAMPLES).chain],
  (chain, random) => chain.filter(() => random() < 0.6),
  (chain) => chain.toReversed(),
  // As many as there may be, and more.
  (chain, random) => Array.from({ length: 1 + below(random, 70) }, () => pick(random, chain)),
  (chain, random) => [
    ...chain,
    pick(random, ['fl_layer_apply', 'l_mark/l_mark', '', 'u_mark', 'c_scale,w_9000']),
  ],
];

function inOne(
  chain: readonly string[],
  random: Random,
  mutate: (component: string) => string,
): readonly string[] {
  const at = below(random, chain.length);
  return chain.map((component, index) => (index === at ? mutate(component) : component));
}

/** The samples' originals; records other requested ids. */
function watchedOriginals(asked: Set<string>): Originals {
  const files = Object.entries(ORIGINALS).map(
    ([name, file]) => [name, readFileSync(new URL(`goldens/originals/${file}`, import.meta.url))] as const,
  );
  const shelved = shelf(
    Object.fromEntries(
      files.flatMap(([name, body]) => [
        [`private/${name}`, body],
        [`upload/${name}`, body],
      ]),
    ),
  );
  return {
    find: (deliveryType, publicId) => {
      asked.add(publicId);
      return shelved.find(deliveryType, publicId);
    },
  };
}

describe(`${CHAINS} mutated chains`, { timeout: 300_000 }, () => {
  it('are images or refused, in time and in memory, and reach no other folder', async () => {
    const random = randomFrom(20_240_602);
    const asked = new Set<string>();
    const renderer = new ImageRenderer(watchedOriginals(asked));
    const toll = new Toll();
    for (let index = 0; index < CHAINS; index += 1) {
      const sample = SAMPLES[index % SAMPLES.length];
      if (sample === undefined) continue;
      let chain: readonly string[] = sample.chain;
      for (let count = 1 + below(random, 3); count > 0; count -= 1) {
        if (chain.length > 0) chain = pick(random, CHAIN_MUTATIONS)(chain, random);
      }
      const { of = 'photo', format = 'png' } = sample;
      await toll.count(
        () =>
          renderer.render(
            { deliveryType: 'private', publicId: of, chain, format, accept: undefined },
            deadline(),
          ),
        `chain ${index}, ${chain.join('/')},`,
      );
    }
    report('chains', toll);
    expect(toll.total).toBe(CHAINS);
    expect(['400', '404', '503', 'image']).toEqual(expect.arrayContaining([...toll.outcomes.keys()]));
    expect(toll.outcomes.get('400')).toBeGreaterThan(CHAINS / 10);
    expect(toll.outcomes.get('image')).toBeGreaterThan(CHAINS / 10);
    expect(toll.slowest).toBeLessThan(DEADLINE + GRACE);
    expect(toll.addedBytes).toBeLessThan(MOST_BYTES_OF_CHAINS);
    const outside = [...asked].filter((id) => /^\/|(?:^|\/)\.{1,2}(?:\/|$)|\\|\p{Cc}/u.test(id));
    expect(outside).toEqual([]);
  });
});

function report(what: string, { outcomes, slowest, addedBytes }: Toll): void {
  const counts = [...outcomes].map(([outcome, count]) => `${outcome} ${count}`).join(', ');
  const megabytes = Math.round(addedBytes / 1e6);
  process.stdout.write(`mutated ${what}: ${counts}; slowest ${Math.round(slowest)} ms, +${megabytes} MB\n`);
}
