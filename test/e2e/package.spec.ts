import { execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import ts from 'typescript';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Delivery } from '../../packages/client/src/pixseal-client.js';
import '../support/built.js';
import type * as testing from '../../packages/testing/src/pixseal-testing.js';
import { photo } from '../support/pictures.js';
import { createSeedTenant, type Tenant } from '../support/seed.js';
import { startService, type Service } from '../support/service.js';

let folder: string;
/** Two embedded databases are created here, which is slow on a busy machine. */
const STARTS = 180_000;
/** A user's project, whose node_modules contains only the packed package. */
let project: string;
let unpacked: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'pixseal-package-'));
  execFileSync('npm', ['pack', '--silent', '--ignore-scripts', '--pack-destination', folder]);
  const [tarball = ''] = readdirSync(folder);
  execFileSync('tar', ['-xzf', join(folder, tarball), '-C', folder]);
  unpacked = join(folder, 'package');
  project = join(folder, 'project');
  mkdirSync(join(project, 'node_modules'), { recursive: true });
  symlinkSync(unpacked, join(project, 'node_modules/pixseal'));
  writeFileSync(join(project, 'package.json'), '{"type":"module"}');
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

/** Runs Node beside the service of this process. @returns its output, parsed as JSON */
async function node(...args: string[]): Promise<unknown> {
  const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: STARTS });
  return JSON.parse(stdout);
}

/** Runs a module of the user's. */
function run(script: string, ...args: string[]): Promise<unknown> {
  const path = join(project, 'script.js');
  writeFileSync(path, script);
  return node(path, ...args);
}

/** The compiler's output for a module of the user's, with no types but the language's. */
function compile(source: string, options: ts.CompilerOptions = {}): string[] {
  const path = join(project, 'consumer.ts');
  writeFileSync(path, source);
  const program = ts.createProgram([path], {
    strict: true,
    noEmit: true,
    types: [],
    lib: ['lib.es2022.d.ts'],
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    ...options,
  });
  return ts
    .getPreEmitDiagnostics(program)
    .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'));
}

describe('pixseal/client, packed', () => {
  let service: Service;
  let tenant: Tenant;

  beforeAll(async () => {
    service = await startService();
    tenant = await createSeedTenant(service);
  });
  afterAll(() => service.close());

  const given = (): string =>
    JSON.stringify({
      options: {
        issuerId: tenant.issuerId,
        secret: tenant.secret,
        imageId: 'any',
        transformations: [{ width: 400, crop: 'fill' }],
      },
      baseUrl: service.url,
      imageId: tenant.imageId,
    });

  async function check(result: { token: string; url: string; delivered: Delivery[] }): Promise<void> {
    const { token, url, delivered } = result;
    expect(token).toBe(tenant.sign({ transformations: [{ width: 400, crop: 'fill' }] }));
    expect(url).toBe(`${service.url}/images/${tenant.imageId}?token=${token}`);
    const { status, headers } = await service.image(url.slice(service.url.length));
    expect(status).toBe(302);
    expect(delivered).toStrictEqual([
      { imageId: tenant.imageId, url: headers.location?.split('#')[1], location: headers.location },
      {
        imageId: 'x',
        problem: expect.objectContaining({ status: 400, code: 'invalid_image_id' }) as unknown,
      },
    ]);
  }

  it('holds the built service without its maps, build states, benches and tests', () => {
    const files = readdirSync(unpacked, { recursive: true, encoding: 'utf8' });
    const names = files.map((name) => name.replace(/^dist\//, ''));
    expect(names).toEqual(expect.arrayContaining(['server/main.js', 'server/pixseal.js', 'LICENSE']));
    expect(
      names.filter((name) => /^(?!packages\/).*\.map$|\.tsbuildinfo$|^(bench|test)\//.test(name)),
    ).toStrictEqual([]);
  });

  it('signs tokens, and requests deliveries, as a user’s dependency', async () => {
    await check(
      (await run(
        `import { deliveries, imageUrl, signToken } from 'pixseal/client';
         const { options, baseUrl, imageId } = JSON.parse(process.argv[2]);
         const token = await signToken(options);
         const delivered = await deliveries({ baseUrl, items: [{ imageId, token }, { imageId: 'x', token }] });
         console.log(JSON.stringify({ token, url: imageUrl({ baseUrl, imageId, token }), delivered }));`,
        given(),
      )) as never,
    );
  });

  it('does the same without Node: with only WebCrypto, fetch, TextEncoder and btoa', async () => {
    const args = ['--experimental-vm-modules', 'test/client/bare-context.js'];
    const entry = join(unpacked, 'dist/packages/client/src/pixseal-client.js');
    await check((await node(...args, entry, given())) as never);
  });

  it('requests more deliveries than fit into one request, in order', async () => {
    const { deliveries } = (await import(
      pathToFileURL(join(unpacked, 'dist/packages/client/src/pixseal-client.js')).href
    )) as typeof import('../../packages/client/src/pixseal-client.js');
    const token = tenant.sign();
    const items = Array.from({ length: 501 }, (_, at) => ({
      imageId: at === 500 ? tenant.imageId : `${at}`,
      token,
    }));
    const delivered = await deliveries({ baseUrl: `${service.url}/`, items });
    expect(delivered.map(({ imageId }) => imageId)).toStrictEqual(items.map(({ imageId }) => imageId));
    expect(delivered.filter(({ problem }) => problem === undefined)).toHaveLength(1);
  });

  it('has types that need none of Node’s or the browser’s, and reject a step’s wrong key', () => {
    const consumer = (step: string, image = `imageId: 'i', `): string => `
      import { deliveries, imageUrl, signToken, type Step, type TokenOptions } from 'pixseal/client';
      const steps: Step[] = [${step}];
      const key = { issuerId: 'i', secret: 's' };
      const token = await signToken({ ...key, ${image}transformations: steps, exp: new Date() });
      export const bindings: TokenOptions['imageId'][] = ['any', 'i', ['i'] as const];
      export const url: string = imageUrl({ baseUrl: 'https://img.example.com', imageId: 'i', token });
      for (const each of await deliveries({ baseUrl: 'https://img.example.com', items: [{ token }] })) {
        const text: string = each.problem === undefined ? each.location : each.problem.code;
        text.trim();
      }
    `;
    expect(compile(consumer(`{ width: 400, crop: 'fill' }`))).toStrictEqual([]);
    expect(compile(consumer(`{ widht: 400 }`)).join('\n')).toContain(`'widht' does not exist in type 'Step'`);
    expect(compile(consumer('{}', '')).join('\n')).toContain(`Property 'imageId' is missing`);
  });

  it('keeps the old names, under which a token names no image by default', () => {
    const consumer = `
      import { sealToken, type Seal } from 'pixseal/client';
      const seal: Seal = { issuerId: 'i', secret: 's' };
      export const tokens: string[] = [await sealToken(seal), await sealToken({ ...seal, imageId: 'i' })];
    `;
    expect(compile(consumer)).toStrictEqual([]);
  });
});

describe('pixseal/testing, packed', () => {
  let kit: typeof testing;

  beforeAll(async () => {
    // Other suites start services too: this one has its own folders.
    process.env['TMPDIR'] = folder;
    // What an install would add.
    symlinkSync(resolve('node_modules'), join(unpacked, 'node_modules'));
    kit = (await import(
      pathToFileURL(join(unpacked, 'dist/packages/testing/src/pixseal-testing.js')).href
    )) as typeof testing;
  });

  const signSteps = (issuer: testing.CreatedIssuer, ...transformations: unknown[]): Promise<string> =>
    import(pathToFileURL(join(unpacked, 'dist/packages/client/src/pixseal-client.js')).href).then(
      ({ signToken }: typeof import('../../packages/client/src/pixseal-client.js')) =>
        signToken({
          issuerId: issuer.id,
          secret: issuer.secret,
          imageId: 'any',
          transformations: transformations as object[],
        }),
    );

  describe('in mode blank', () => {
    let pixseal: testing.EmbeddedPixseal;
    let issuer: testing.CreatedIssuer;
    let url: string;
    let layer: string;

    beforeAll(async () => {
      pixseal = await kit.startPixseal({ mode: 'blank', variables: { CONSOLE: 'off' } });
      issuer = await pixseal.createIssuer({ policy: { max_steps: 5 } });
      const image = await pixseal.createImage({ issuerId: issuer.id, publicId: 'shoes/red', version: 7 });
      const overlay = await pixseal.createOverlay({ issuerId: issuer.id, publicId: 'marks/shop' });
      layer = overlay.id;
      const token = await signSteps(
        issuer,
        { width: 400, crop: 'fill', nonsense: 1 },
        { overlay: overlay.id },
      );
      url = `${pixseal.baseUrl}/images/${image.id}?token=${token}`;
    }, STARTS);
    afterAll(() => pixseal.close());

    it('redirects to the URL that it would sign', async () => {
      const { status, headers } = await fetch(url, { redirect: 'manual' });
      expect(status).toBe(302);
      expect(headers.get('location')).toMatch(
        /\/assets\/blank\.jpg#https:\/\/.*\/c_fill,w_400\/l_private:marks:shop\/v7\/shoes\/red\.jpg$/,
      );
    });

    it('accepts settings, and throws the admin API’s problems', async () => {
      expect((await fetch(`${pixseal.baseUrl}/console`)).status).toBe(404);
      await expect(pixseal.createImage({ issuerId: issuer.id, publicId: 'shoes/red' })).rejects.toMatchObject(
        {
          name: 'PixsealError',
          status: 409,
        },
      );
    });

    it('has only rows that the suite created', async () => {
      const response = await fetch(`${pixseal.baseUrl}/admin/issuers`, {
        headers: { authorization: `Bearer ${pixseal.adminKey}` },
      });
      expect(await response.json()).toMatchObject({ items: [{ id: issuer.id }], next_cursor: null });
    });

    it('has matchers that explain a difference step by step', async () => {
      expect.extend(kit.pixsealMatchers);
      const extended = (): testing.PixsealMatchers & { not: testing.PixsealMatchers } => expect(url) as never;
      const steps = [{ width: 400, crop: 'fill', nonsense: 1 }, { overlay: layer }] as never;
      extended().toSealTransformation(steps);
      await extended().toDeliver(['c_fill,w_400', 'l_private:marks:shop']);

      expect(() => extended().toSealTransformation([{ width: 300, crop: 'fill' }])).toThrow(
        [
          'The token seals another transformation:',
          '  step 1: width: expected 300, sealed 400',
          '          nonsense: expected nothing, sealed 1',
          `  step 2: not expected: {"overlay":"${layer}"}`,
        ].join('\n'),
      );
      expect(() => extended().not.toSealTransformation(steps)).toThrow('The token seals just this');
      await expect(extended().toDeliver(['c_fit,w_400', 'l_private:marks:shop', 'w_1'])).rejects.toThrow(
        [
          'The URL delivers another image:',
          '  step 1: expected c_fit,w_400, delivered c_fill,w_400',
          '          nonsense is ignored: unknown parameter',
          '  step 2: same',
          '  step 3: missing: "w_1"',
        ].join('\n'),
      );
    });

    it('has a matcher that compares layers by meaning, not by syntax', async () => {
      const token = await signSteps(issuer, {
        overlay: { text: 'Jane', font_family: 'Arial', font_size: 40 },
      });
      const judge = (overlay: unknown): { pass: boolean; message: () => string } =>
        kit.pixsealMatchers.toSealTransformation(token, [{ overlay }] as never);
      expect(judge({ font_size: 40, text: 'Jane', font_weight: undefined, font_family: 'Arial' }).pass).toBe(
        true,
      );
      expect(judge({ font_family: 'Arial', text: 'Jane', font_size: 41 }).message()).toBe(
        'The token seals another transformation:\n  step 1: overlay: ' +
          'expected {"font_family":"Arial","text":"Jane","font_size":41}, ' +
          'sealed {"text":"Jane","font_family":"Arial","font_size":40}',
      );
      expect(judge({ text: 'Jane', font_family: 'Arial' }).pass).toBe(false);
    });

    it('has matchers for refusals, and for strings that are not tokens', async () => {
      const { toDeliver, toSealTransformation } = kit.pixsealMatchers;
      await expect(toDeliver(url.replace('?token=', '?token=x'), [])).rejects.toThrow(
        /^The URL is refused with 401 invalid_token: /,
      );
      await expect(toDeliver(pixseal.baseUrl, [])).rejects.toThrow(/^The URL is /);
      expect(() => toSealTransformation(url.split('?')[0], [])).toThrow(
        'Expected a token, or a URL with one.',
      );
    });
  });

  it(
    'in mode local renders uploads, and leaves nothing behind',
    async () => {
      const folders = (): string[] =>
        readdirSync(folder).filter((name) => name.startsWith('pixseal-testing-'));
      const before = folders();
      const pixseal = await kit.startPixseal({ mode: 'local' });
      try {
        const issuer = await pixseal.createIssuer();
        const image = await pixseal.createImage({ issuerId: issuer.id, file: await photo() });
        const token = await signSteps(
          issuer,
          { width: 40, height: 30, crop: 'fill' },
          { fetch_format: 'png' },
        );
        const response = await fetch(`${pixseal.baseUrl}/images/${image.id}?token=${token}`);
        expect([response.status, response.headers.get('content-type')]).toStrictEqual([200, 'image/png']);
        expect(folders().length).toBeGreaterThan(before.length);
      } finally {
        await pixseal.close();
        await pixseal.close();
      }
      expect(folders()).toStrictEqual(before);
      await expect(fetch(`${pixseal.baseUrl}/health/live`)).rejects.toThrow();
    },
    STARTS,
  );

  describe('if the test’s process ends', () => {
    let temporary: string;
    beforeEach(() => {
      temporary = mkdtempSync(join(folder, 'ended-'));
    });

    /** A user's script, in a process group as a shell starts it. @returns its id, once it is ready */
    async function startScript(script: string): Promise<number> {
      const path = join(project, 'ended.js');
      writeFileSync(path, `import { startPixseal } from 'pixseal/testing';\n${script}`);
      const child = spawn(process.execPath, [path], {
        detached: true,
        stdio: ['ignore', 'pipe', 'inherit'],
        env: { ...process.env, TMPDIR: temporary },
      });
      await once(child.stdout, 'data');
      return child.pid ?? 0;
    }
    const STARTED = `await startPixseal({ mode: 'blank' }); console.log('started'); setInterval(() => {}, 1_000);`;
    const STARTING = `
      import { readdirSync } from 'node:fs';
      startPixseal({ mode: 'blank' });
      const files = () => readdirSync(process.env.TMPDIR, { recursive: true });
      setInterval(() => {
        // The database is being created.
        if (files().some((name) => name.endsWith('/PG_VERSION'))) console.log('starting');
      }, 10);`;

    it.each<[what: string, script: string, signal: NodeJS.Signals, group: boolean]>([
      ['by Ctrl-C', STARTED, 'SIGINT', true],
      ['by SIGKILL', STARTED, 'SIGKILL', false],
      ['by SIGTERM to all while the service starts', STARTING, 'SIGTERM', true],
      ['by SIGKILL while the service starts', STARTING, 'SIGKILL', false],
    ])(
      '%s, leaves nothing behind',
      async (_, script, signal, group) => {
        const pid = await startScript(script);
        expect(readdirSync(temporary)).toHaveLength(1);
        process.kill(group ? -pid : pid, signal);
        await expect.poll(() => readdirSync(temporary), { timeout: STARTS }).toStrictEqual([]);
      },
      STARTS,
    );
  });

  it(
    'lets a process exit that does not close it, and leaves nothing behind',
    async () => {
      const temporary = mkdtempSync(join(folder, 'not-closed-'));
      const origin = await run(
        `import { startPixseal } from 'pixseal/testing';
         process.env.TMPDIR = process.argv[2];
         console.log(JSON.stringify((await startPixseal({ mode: 'blank' })).baseUrl));`,
        temporary,
      );
      expect(origin).toMatch(/^http:/);
      await expect.poll(() => readdirSync(temporary), { timeout: STARTS }).toStrictEqual([]);
    },
    STARTS,
  );

  it('reports that there is no Node to start, and leaves nothing behind', async () => {
    const temporary = mkdtempSync(join(folder, 'no-node-'));
    const reported = await run(
      `import { startPixseal } from 'pixseal/testing';
       process.execPath = '/no/such/node';
       process.env.TMPDIR = process.argv[2];
       const message = await startPixseal({ mode: 'blank' }).catch((error) => error.message);
       console.log(JSON.stringify(message));`,
      temporary,
    );
    expect(reported).toBe('Pixseal did not start. spawn /no/such/node ENOENT');
    expect(readdirSync(temporary)).toStrictEqual([]);
  });

  it('reports why a service did not start', async () => {
    await expect(kit.startPixseal({ mode: 'blank', variables: { PORT: 'x' } })).rejects.toThrow(
      /Pixseal did not start\. .*PORT must be a whole number/s,
    );
  });
});
