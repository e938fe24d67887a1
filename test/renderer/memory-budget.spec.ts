import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { parseChain } from '../../src/renderer/chain/chain.parser.js';
import { estimateBytes, MemoryBudget } from '../../src/renderer/memory-budget.js';
import { refusal } from './drawings.js';

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const stays = (): AbortSignal => new AbortController().signal;

/** Runs tasks of so many bytes that end when the test ends them. */
function start(
  budget: MemoryBudget,
  signals: ReadonlyMap<number, AbortSignal> = new Map(),
): {
  readonly running: number[];
  readonly run: (bytes: number) => Promise<void>;
  readonly end: (bytes: number) => void;
} {
  const running: number[] = [];
  const ends = new Map<number, () => void>();
  const run = (bytes: number): Promise<void> =>
    budget.run(bytes, signals.get(bytes) ?? stays(), async () => {
      running.push(bytes);
      await new Promise<void>((resolve) => ends.set(bytes, resolve));
      running.splice(running.indexOf(bytes), 1);
    });
  return { running, run, end: (bytes: number) => ends.get(bytes)?.() };
}

describe('the memory budget', () => {
  it('runs what fits, and the rest in order when memory is free', async () => {
    const budget = new MemoryBudget(100);
    const { running, run, end } = start(budget);
    const all = [60, 50, 30, 100].map((bytes) => run(bytes));
    await settle();
    // 30 would fit beside 60, but 50 is in front of it and must not wait forever.
    expect(running).toStrictEqual([60]);
    end(60);
    await settle();
    expect(running).toStrictEqual([50, 30]);
    end(50);
    end(30);
    await settle();
    expect([running, budget.reservedBytes]).toStrictEqual([[100], 100]);
    end(100);
    await Promise.all(all);
    expect(budget.reservedBytes).toBe(0);
  });

  it('refuses what can never fit with 503', async () => {
    await expect(start(new MemoryBudget(100)).run(101)).rejects.toMatchObject({ status: 503 });
  });

  it('frees the memory of a render that failed', async () => {
    const budget = new MemoryBudget(100);
    await expect(budget.run(100, stays(), () => Promise.reject(new Error('broken')))).rejects.toThrow(
      'broken',
    );
    expect(budget.reservedBytes).toBe(0);
  });

  it('lets the next one start when the one in front of it gives up', async () => {
    const budget = new MemoryBudget(100);
    const leaving = new AbortController();
    const { running, run, end } = start(budget, new Map([[70, leaving.signal]]));
    const first = run(60);
    const second = run(70);
    const third = run(40);
    await settle();
    leaving.abort(new Error('disconnected'));
    await expect(second).rejects.toThrow('disconnected');
    await settle();
    expect(running).toStrictEqual([60, 40]);
    end(60);
    end(40);
    await Promise.all([first, third]);
    expect(budget.reservedBytes).toBe(0);
  });
});

describe('the estimate of a render’s memory', () => {
  const LIMITS = { pixels: 25e6, heldPixels: 64e6, convertedPixels: 50e6 };
  const BUDGET = 512e6;
  const MEGAPIXEL = { format: 'jpg', width: 1000, height: 1000 };
  it.each([
    ['no original', [null], 'w_10', 0],
    ['a JPEG of a megapixel', [MEGAPIXEL], 'w_10', 12e6],
    [
      'a JPEG beyond the limit of unpacked images',
      [{ format: 'jpg', width: 10_000, height: 4_900 }],
      'w_10',
      396e6,
    ],
    ['an AVIF', [{ format: 'avif', width: 10_000, height: 4_900 }], 'w_10', 1082e6],
    [
      'an animation, whose frames the row does not count',
      [{ format: 'gif', width: 10, height: 10 }],
      'w_10',
      200_000_400,
    ],
    ['an SVG, which may have images', [{ format: 'svg', width: 10, height: 10 }], 'w_10', 67_109_664],
    ['a PDF', [{ format: 'pdf', width: 1000, height: 1000 }], 'dn_150', 220e6],
    ['a PDF at twice the density', [{ format: 'pdf', width: 1000, height: 1000 }], 'dn_300', 280e6],
    ['another page of a PDF, of unknown size', [{ format: 'pdf', width: 10, height: 10 }], 'pg_2', 512e6],
    ['an effect of libvips', [MEGAPIXEL], 'e_sepia', 12e6],
    ['an effect that libvips does not have', [MEGAPIXEL], 'e_dropshadow', 20e6],
    ['a layer', [MEGAPIXEL, { format: 'png', width: 100, height: 100 }], 'l_mark', 268_040_000],
  ])('is right for %s', (_, originals, chain, bytes) => {
    expect(estimateBytes(originals, parseChain([chain]), LIMITS, BUDGET)).toBe(bytes);
  });
});

describe('nested layers', () => {
  it('are refused when the images below them together exceed the limit', async () => {
    const side = { width: 2000, height: 2000, channels: 3, background: '#456' } as const;
    const original = await sharp({ create: side }).png().toBuffer();
    const nested = (depth: number): string[] => [
      ...Array.from({ length: depth }, () => 'l_private:photo,c_scale,h_4900,w_4900'),
      ...Array.from({ length: depth }, () => 'c_scale,w_10,fl_layer_apply'),
    ];
    expect(await refusal(original, ['c_scale,h_4900,w_4900', ...nested(31)])).toBe(
      '400 The layers are nested over more than 64 megapixels. Nest fewer, or resize first',
    );
    expect(await refusal(original, ['c_scale,w_100', ...nested(2)])).toBe('rendered');
  });
});
