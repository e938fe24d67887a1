import { execFile } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import ts from 'typescript';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hasBrowser, launchBrowser } from '../support/browser.js';
import { createCleanClone, SLOW, type CleanClone } from '../support/clean-clone.js';
import { findNodes } from '../support/node-versions.js';
import { documentBlock } from '../support/readme.js';
import { createSeedTenant } from '../support/seed.js';
import { startService } from '../support/service.js';
import { TOKEN_VECTORS } from '../support/token-vectors.js';
import { makeKeyPair } from '../tokens/public-key-fixtures.js';
import { PUBLIC_KEY_ALGORITHMS } from '../../src/tokens/signing-key.js';

const NODES = findNodes();

const read = (path: string): unknown => JSON.parse(readFileSync(path, 'utf8'));
const ROOT = read('package.json') as { version: string; devDependencies: Record<string, string> };

let folder: string;
/** A clone in which nothing was built. */
let clone: string;
let bash: CleanClone['run'];
let remove: CleanClone['remove'];

beforeAll(async () => {
  ({ folder, clone, run: bash, remove } = createCleanClone({ withService: true }));
  await bash(clone, documentBlock('docs/clients.md', 'Install / sh 1'));
}, SLOW);
afterAll(() => {
  remove();
});

/** A user's project beside the clone. @param packages More to install, such as a test runner. */
async function createProject(name: string, manifest: object, packages: readonly string[]): Promise<string> {
  const project = join(folder, name);
  mkdirSync(project);
  writeFileSync(join(project, 'package.json'), JSON.stringify({ private: true, ...manifest }));
  if (packages.length > 0) await bash(project, `npm install --save-dev --save-exact ${packages.join(' ')}`);
  await bash(project, documentBlock('docs/clients.md', 'Install / sh 2'));
  return project;
}

/** A package at the version that this repository has. */
const pinned = (name: string): string => `${name}@${ROOT.devDependencies[name] ?? ''}`;

const MODULES = {
  client: ['deliveries', 'dsn', 'image-url', 'pixseal-client', 'sign-token', 'step', 'token-key'],
  testing: [
    'admin-client',
    'matchers',
    'pixseal-testing',
    'service-message',
    'service-path',
    'start-pixseal',
  ],
  react: ['image-source', 'pixseal-browser', 'pixseal-react', 'pixseal-server'],
};

describe('the tarball', () => {
  const list = async (name: string): Promise<string[]> => {
    const tarball = join(clone, `pixseal-${name}-${ROOT.version}.tgz`);
    const { stdout } = await promisify(execFile)('tar', ['-tzf', tarball]);
    return stdout
      .trim()
      .split('\n')
      .map((path) => path.replace(/^package\//, ''));
  };
  const expected = (name: keyof typeof MODULES): string[] => [
    ...['LICENSE', 'README.md', 'dist/cjs/package.json', 'package.json'],
    ...['cjs', 'esm'].flatMap((format) =>
      MODULES[name].flatMap((module) => ['js', 'd.ts'].map((suffix) => `dist/${format}/${module}.${suffix}`)),
    ),
  ];

  it.each(['client', 'react'] as const)(
    'of %s has its modules in both formats, and nothing else',
    async (name) => {
      expect((await list(name)).sort()).toStrictEqual(expected(name).sort());
    },
  );

  it('of the test kit has its modules, the service and the licenses of what it bundles, and nothing else', async () => {
    const files = await list('testing');
    const isService = (path: string): boolean => /^dist\/(?:server|web)\//.test(path);
    expect(files.filter((path) => !isService(path)).sort()).toStrictEqual(expected('testing').sort());
    const service = files.filter(isService);
    expect(
      service.filter(
        (path) =>
          !/^dist\/server\/(?:[\w.-]+\.js|LICENSES\.txt)$|^dist\/server\/vendor\/|^dist\/web\/(?:[a-z]+\.html$|assets\/)/.test(
            path,
          ),
      ),
    ).toStrictEqual([]);
    const vendored = [/^dist\/server\/vendor\/((?:@[^/]+\/)?[^/]+)\//].flatMap((vendor) =>
      service.flatMap((path) => vendor.exec(path)?.[1] ?? []),
    );
    expect([...new Set(vendored)].sort()).toStrictEqual([
      '@electric-sql/pglite',
      '@expo-google-fonts/noto-emoji',
      '@expo-google-fonts/noto-sans-devanagari',
      '@expo-google-fonts/noto-sans-thai',
      'dejavu-fonts-ttf',
      'piscina',
      'reflect-metadata',
    ]);
    for (const name of new Set(vendored)) {
      expect(service).toContain(`dist/server/vendor/${name}/LICENSE`);
    }
    const licenses = readFileSync(join(clone, 'packages/testing/dist/server/LICENSES.txt'), 'utf8');
    for (const name of ['fastify', '@nestjs/core', 'typeorm', 'pg', 'class-validator']) {
      expect(licenses).toMatch(new RegExp(`^${name} \\d\\S+, MIT$`, 'm'));
    }
    expect(licenses).not.toMatch(/, undefined$/m);
  });

  it.each<[name: keyof typeof MODULES, peers: object | undefined]>([
    ['client', undefined],
    ['testing', { '@pixseal/client': ROOT.version, sharp: '>=0.34' }],
    ['react', { '@pixseal/client': ROOT.version, react: '>=18' }],
  ])('of %s has the license and version of Pixseal, and no dependency', (name, peers) => {
    expect(readFileSync(`packages/${name}/LICENSE`, 'utf8')).toBe(readFileSync('LICENSE', 'utf8'));
    const manifest = read(`packages/${name}/package.json`) as Record<string, unknown>;
    expect(manifest).toMatchObject({ version: ROOT.version, license: 'MIT' });
    expect(manifest).not.toHaveProperty('private');
    expect(manifest).not.toHaveProperty('dependencies');
    expect(manifest['peerDependencies']).toStrictEqual(peers);
  });
});

const [vector] = TOKEN_VECTORS;
const { iss: issuerId, exp, image_id: imageId, transformations, sharinpix } = vector.claims;
const OPTIONS = { issuerId, secret: vector.key.secret, exp, imageId, transformations, sharinpix };
const PARTS = { baseUrl: new URL(vector.url).origin, imageId };
/** Signs the first vector, as the end of a program that has imported the client. */
const SIGN = `signToken(${JSON.stringify(OPTIONS)}).then((token) => imageUrl({ ...${JSON.stringify(PARTS)}, token }))`;
/** Parameters of WebCrypto that verify a token. */
const WEB_CRYPTO = {
  EdDSA: { name: 'Ed25519' },
  ES256: { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' },
  RS256: { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' },
  PS256: { name: 'RSA-PSS', hash: 'SHA-256', saltLength: 32 },
} as const;
const IMPORT = `import { imageUrl, signToken } from '@pixseal/client';`;

describe('@pixseal/client, installed', () => {
  let project: string;

  beforeAll(async () => {
    project = join(folder, 'client');
    mkdirSync(project);
    writeFileSync(join(project, 'package.json'), '{"private":true}');
    const [install = ''] = documentBlock('docs/clients.md', 'Install / sh 2').split('\n');
    await bash(project, install);
  }, SLOW);

  it('brings no other package', () => {
    const modules = readdirSync(join(project, 'node_modules')).filter((name) => !name.startsWith('.'));
    expect(modules).toStrictEqual(['@pixseal']);
    expect(readdirSync(join(project, 'node_modules/@pixseal'))).toStrictEqual(['client']);
  });

  it.each(NODES)('signs the vector as an ES module and as CommonJS, on $name', async ({ path }) => {
    writeFileSync(join(project, 'sign.mjs'), `${IMPORT}\nconsole.log(await ${SIGN});`);
    writeFileSync(
      join(project, 'sign.cjs'),
      `const { imageUrl, signToken } = require('@pixseal/client');\n${SIGN}.then(console.log);`,
    );
    for (const file of ['sign.mjs', 'sign.cjs']) {
      expect(await bash(project, `node ${file} 2>&1`, path)).toBe(`${vector.url}\n`);
    }
  });

  it('signs as docs/clients.md has it, and not without an image’s id', async () => {
    const service = await startService();
    try {
      const tenant = await createSeedTenant(service);
      const source =
        'const [imageId, overlay] = process.argv.slice(2) as [string, string];\n' +
        documentBlock('docs/clients.md', '`@pixseal/client` / ts 1');
      writeFileSync(join(project, 'backend.mts'), source);
      const types = `--types node --typeRoots '${resolve('node_modules/@types')}'`;
      await bash(
        project,
        `'${resolve('node_modules/.bin/tsc')}' --strict --module nodenext ${types} backend.mts`,
      );
      const dsn = new URL(service.url);
      [dsn.username, dsn.password] = [tenant.issuerId, encodeURIComponent(tenant.secret)];
      const start = (ids: string): Promise<string> =>
        bash(project, `PIXSEAL_DSN='${dsn.href.replaceAll("'", '%27')}' node backend.mjs ${ids}`);
      expect(await start(`${tenant.imageId} ${tenant.overlayId}`)).toMatch(
        new RegExp(`^${tenant.imageId} http\\S+/c_fill,h_300,w_400/fl_tiled,l_\\S+\\n$`),
      );
      await expect(start('')).rejects.toThrow('signToken: `imageId` is undefined.');
    } finally {
      await service.close();
    }
  });

  it.runIf(hasBrowser())('signs the vector in a browser', async () => {
    const modules = join(project, 'node_modules/@pixseal/client/dist/esm');
    const server: Server = createServer((request, response) => {
      const file = /^\/([\w-]+\.js)$/.exec(request.url ?? '')?.[1];
      response.setHeader('content-type', file === undefined ? 'text/html' : 'text/javascript');
      response.end(file === undefined ? '' : readFileSync(join(modules, file)));
    });
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
    const browser = await launchBrowser();
    try {
      const page = await browser.newPage();
      await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
      const url = await page.evaluate(
        `import('/pixseal-client.js').then(({ imageUrl, signToken }) => ${SIGN})`,
      );
      expect(url).toBe(vector.url);
    } finally {
      await browser.close();
      server.close();
    }
  });

  describe('beside other runtimes', () => {
    let runtimes: string;

    beforeAll(async () => {
      runtimes = join(folder, 'runtimes');
      mkdirSync(runtimes);
      writeFileSync(join(runtimes, 'package.json'), '{"private":true,"type":"module"}');
      const [install = ''] = documentBlock('docs/clients.md', 'Install / sh 2').split('\n');
      await bash(runtimes, `${install} deno@2.9.6 workerd@1.20261117.1`);
    }, SLOW);

    it(
      'signs the vector in Deno',
      async () => {
        writeFileSync(join(runtimes, 'sign.ts'), `${IMPORT}\nconsole.log(await ${SIGN});`);
        const command = 'DENO_DIR=$PWD/.deno npx deno run --no-remote --node-modules-dir=manual sign.ts';
        expect(await bash(runtimes, command)).toBe(`${vector.url}\n`);
      },
      SLOW,
    );

    /** Runs a script as a Worker's test. @throws Error if it throws. */
    const runInWorkerd = async (script: string): Promise<void> => {
      const modules = MODULES.client.map(
        (name) =>
          `(name = "${name}.js", esModule = embed "node_modules/@pixseal/client/dist/esm/${name}.js")`,
      );
      writeFileSync(
        join(runtimes, 'worker.js'),
        `${IMPORT.replace('@pixseal/client', './pixseal-client.js')}
         export default { async test() { ${script} } };`,
      );
      writeFileSync(
        join(runtimes, 'config.capnp'),
        `using Workerd = import "/workerd/workerd.capnp";
         const config :Workerd.Config = (services = [(name = "main", worker = (
           modules = [(name = "worker", esModule = embed "worker.js"), ${modules.join(', ')}],
           compatibilityDate = "2026-01-01",
         ))]);`,
      );
      await bash(runtimes, 'npx workerd test config.capnp');
    };

    it(
      'signs the vector in workerd, the runtime of Cloudflare Workers',
      () =>
        runInWorkerd(
          `const url = await ${SIGN}; if (url !== ${JSON.stringify(vector.url)}) throw new Error(url);`,
        ),
      SLOW,
    );

    it.each(PUBLIC_KEY_ALGORITHMS)(
      'signs with a private key of %s in workerd, in PEM and as a JWK',
      async (algorithm) => {
        const { privateKey, publicKey } = makeKeyPair(algorithm);
        const forms = [
          privateKey.export({ type: 'pkcs8', format: 'pem' }),
          privateKey.export({ format: 'jwk' }),
        ];
        await runInWorkerd(`
          const parameters = ${JSON.stringify(WEB_CRYPTO[algorithm])};
          const key = await crypto.subtle.importKey('jwk', ${JSON.stringify(publicKey.export({ format: 'jwk' }))}, parameters, false, ['verify']);
          for (const privateKey of ${JSON.stringify(forms)}) {
            const token = await signToken({ issuerId: 'i', imageId: 'i', kid: 'k', algorithm: '${algorithm}', privateKey });
            const [header, payload, signature] = token.split('.');
            const decode = (text) => Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (each) => each.charCodeAt(0));
            if (JSON.parse(new TextDecoder().decode(decode(header))).alg !== '${algorithm}') throw new Error(header);
            const input = new TextEncoder().encode(header + '.' + payload);
            if (!(await crypto.subtle.verify(parameters, key, decode(signature), input))) throw new Error(token);
          }`);
      },
      SLOW,
    );
  });
});

describe('the types', () => {
  let project: string;

  beforeAll(async () => {
    project = await createProject('types', {}, ['typescript@5.5.4']);
    const react = `react@${ROOT.devDependencies['react'] ?? ''} ${pinned('@types/react')}`;
    await bash(project, `${documentBlock('docs/clients.md', 'Install / sh 3').trim()} ${react}`);
  }, SLOW);

  const { ModuleKind: Module, ModuleResolutionKind: Resolution } = ts;
  const MODES: Readonly<Record<string, ts.CompilerOptions>> = {
    // eslint-disable-next-line @typescript-eslint/no-deprecated -- NestJS 10 generates it
    node10: { module: Module.CommonJS, moduleResolution: Resolution.Node10 },
    node16: { module: Module.Node16, moduleResolution: Resolution.Node16 },
    nodenext: { module: Module.NodeNext, moduleResolution: Resolution.NodeNext },
    bundler: { module: Module.ES2022, moduleResolution: Resolution.Bundler },
  };
  const CONSUMER = `
    import { deliveries, imageUrl, readDsn, sealToken, signToken, PixsealError, type Step, type TokenOptions } from '@pixseal/client';
    import { pixsealMatchers, startPixseal, type CreatedImage, type EmbeddedPixseal, type PixsealMatchers } from '@pixseal/testing';
    import { PixsealImage, type ImageSource, type PixsealImageProps } from '@pixseal/react';
    import { signImage } from '@pixseal/react/server';
    const step: Step = { width: 400, crop: 'fill' };
    export const bindings: TokenOptions['imageId'][] = ['any', 'i', ['i'] as const];
    export async function sign(pixseal: EmbeddedPixseal): Promise<string> {
      const image: CreatedImage = await pixseal.createImage({ issuerId: 'i', file: new Uint8Array(1) });
      const token: string = await signToken({ ...readDsn(''), imageId: image.id, exp: new Date(), transformations: [step] });
      for (const each of await deliveries({ baseUrl: '', items: [{ token }] })) {
        if (each.problem === undefined) each.location.trim();
        else throw new PixsealError(400, each.problem);
      }
      return imageUrl({ baseUrl: pixseal.baseUrl, imageId: image.id, token }) + (await sealToken({ issuerId: 'i', secret: 's' }));
    }
    export const start: Promise<EmbeddedPixseal> = startPixseal({ mode: 'blank', variables: {} });
    export const matchers: PixsealMatchers<void> | typeof pixsealMatchers = pixsealMatchers;
    export async function show(): Promise<unknown> {
      const source: ImageSource = await signImage({ ...readDsn(''), imageId: 'i', widths: [320], aspectRatio: 1.5 });
      const props: PixsealImageProps = { source, alt: '', sizes: '50vw', className: 'card' };
      return PixsealImage(props);
    }
    // @ts-expect-error
    export const undescribed: PixsealImageProps = { source: { src: '', srcSet: '', width: 1 } };
    // @ts-expect-error
    export const misspelled: Step = { widht: 400 };
    // @ts-expect-error
    export const unbound = () => signToken({ issuerId: 'i', secret: 's' });
    // @ts-expect-error
    startPixseal({ mode: 'cloudinary' });
  `;

  it.each(
    ['5.5', '6'].flatMap((version) =>
      Object.keys(MODES).flatMap((mode) =>
        ['module', 'commonjs'].map((type) => [version, mode, type] as const),
      ),
    ),
  )('resolve in TypeScript %s under %s, from a package of type %s', (version, mode, type) => {
    const compiler = version === '6' ? ts : (createRequire(join(project, 'x'))('typescript') as typeof ts);
    expect(compiler.version.startsWith(version)).toBe(true);
    const consumer = join(project, type);
    mkdirSync(consumer, { recursive: true });
    writeFileSync(join(consumer, 'package.json'), JSON.stringify({ type }));
    writeFileSync(join(consumer, 'consumer.ts'), CONSUMER);
    const program = compiler.createProgram([join(consumer, 'consumer.ts')], {
      ...MODES[mode],
      // TypeScript 5.5 does not know the value.
      ...(version === '6' && mode === 'node10' ? { ignoreDeprecations: '6.0' } : {}),
      strict: true,
      exactOptionalPropertyTypes: true,
      skipLibCheck: false,
      noEmit: true,
      target: ts.ScriptTarget.ES2022,
      lib: ['lib.es2022.d.ts'],
      types: [],
    });
    const problems = compiler.getPreEmitDiagnostics(program);
    expect(
      problems.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n')),
    ).toStrictEqual([]);
  });
});

const suite = documentBlock('docs/clients.md', '`@pixseal/testing` / ts 1');
const IMPORT_RUNNER = /^import \{.*\} from 'vitest';\n/m;

/** JavaScript of a suite, without type checks. */
function transpile(source: string, module: ts.ModuleKind): string {
  return ts.transpileModule(source, { compilerOptions: { target: ts.ScriptTarget.ES2022, module } })
    .outputText;
}

const COMMANDS = {
  vitest: documentBlock('docs/clients.md', 'Vitest / sh 1').trim(),
  commonjs: documentBlock('docs/clients.md', 'Jest from CommonJS / sh 1').trim(),
  esm: documentBlock('docs/clients.md', 'Jest from ES modules / sh 1').trim(),
};

describe('the suite of docs/clients.md', () => {
  describe('in Vitest', () => {
    let project: string;

    beforeAll(async () => {
      project = await createProject('vitest', {}, [pinned('vitest'), pinned('typescript'), 'sharp@0.35.5']);
      writeFileSync(join(project, 'card.test.ts'), suite);
      // A suite of CommonJS code that a test imports.
      writeFileSync(
        join(project, 'helper.cjs'),
        `exports.start = () => require('@pixseal/testing').startPixseal({ mode: 'local' });`,
      );
      writeFileSync(
        join(project, 'local.test.ts'),
        `import { imageUrl, signToken } from '@pixseal/client';
         import sharp from 'sharp';
         import { expect, it } from 'vitest';
         import { start } from './helper.cjs';
         it('renders an upload', async () => {
           const pixseal = await start();
           const issuer = await pixseal.createIssuer();
           const create = { width: 40, height: 30, channels: 3, background: 'red' } as const;
           const file = await sharp({ create }).png().toBuffer();
           const { id: imageId } = await pixseal.createImage({ issuerId: issuer.id, file });
           const transformations = [
             { width: 20, crop: 'scale' },
             { overlay: { text: 'Hi', font_family: 'Arial', font_size: 9 } },
             { fetch_format: 'png' },
           ];
           const token = await signToken({ issuerId: issuer.id, secret: issuer.secret, imageId, transformations });
           const response = await fetch(imageUrl({ baseUrl: pixseal.baseUrl, imageId, token }));
           expect([response.status, response.headers.get('content-type')]).toStrictEqual([200, 'image/png']);
           await pixseal.close();
         }, 120_000);`,
      );
    }, SLOW);

    it.each(NODES)(
      'passes on $name',
      async ({ path }) => {
        const command = `${COMMANDS.vitest} card`;
        expect(await bash(project, command, path)).toMatch(/Tests +1 passed/);
      },
      SLOW,
    );

    it(
      'renders uploads if sharp is installed',
      async () => {
        expect(await bash(project, 'npx vitest run local')).toMatch(/Tests +1 passed/);
      },
      SLOW,
    );

    it('compiles with the declaration', async () => {
      writeFileSync(
        join(project, 'types.ts'),
        `${suite}\n${documentBlock('docs/clients.md', '`@pixseal/testing` / ts 2')}`,
      );
      await bash(
        project,
        'npx tsc --noEmit --strict --skipLibCheck --module nodenext --target es2022 types.ts',
      );
    });
  });

  describe('in Jest', () => {
    let project: string;

    beforeAll(async () => {
      project = await createProject('jest', {}, [pinned('jest'), pinned('typescript')]);
      const source = suite.replace("'vitest'", "'@jest/globals'");
      // It fails, for its message.
      const different = `
        it('shows a difference', () => {
          const token = ['', btoa('{"transformations":[{"width":400}]}'), ''].join('.');
          expect(token).not.toSealTransformation([]);
          expect(token).toSealTransformation([{ width: 300 }]);
        });`;
      writeFileSync(join(project, 'esm.test.mjs'), transpile(source + different, ts.ModuleKind.ES2022));
      writeFileSync(join(project, 'cjs.test.js'), transpile(source + different, ts.ModuleKind.CommonJS));
      const declaration = documentBlock('docs/clients.md', 'Jest from ES modules / ts 1');
      writeFileSync(join(project, 'types.ts'), `${source}\n${declaration}`);
    }, SLOW);

    // From CommonJS the suite runs on every Node below, with ts-jest.
    it.each([
      ...NODES.map(({ name, path }) => [name, 'esm', 'esm.test.mjs', path] as const),
      ['this Node', 'commonjs', 'cjs.test.js', process.execPath] as const,
    ])(
      'passes on %s from %s, and shows a difference',
      async (_, format, file, path) => {
        const command = COMMANDS[format];
        const options = `--json --transform '{}' ${file} || true`;
        const { testResults } = JSON.parse(await bash(project, `${command} ${options}`, path)) as {
          testResults: [{ message: string; assertionResults: unknown }];
        };
        const difference =
          /^Error: The token seals another transformation:\n {2}step 1: width: expected 300, sealed 400\n/;
        expect(testResults[0].assertionResults, testResults[0].message).toMatchObject([
          { title: 'shows the card', status: 'passed' },
          {
            title: 'shows a difference',
            status: 'failed',
            failureMessages: [expect.stringMatching(difference) as string],
          },
        ]);
      },
      SLOW,
    );

    it('compiles with the declaration', async () => {
      await bash(
        project,
        'npx tsc --noEmit --strict --skipLibCheck --module nodenext --target es2022 types.ts',
      );
    });
  });

  describe('in a project of Nest, with ts-jest', () => {
    const TEMPLATE = resolve('node_modules/@nestjs/schematics/dist/lib/application/files/ts');
    let project: string;
    let commonjs: object;

    beforeAll(async () => {
      const template = (name: string): string =>
        readFileSync(join(TEMPLATE, name), 'utf8')
          .replace(/"<%=[^%]*%>"/g, '"x"')
          .replace(/<%=[^%]*%>/g, 'true');
      const { jest } = JSON.parse(template('package.json')) as { jest: object };
      project = await createProject('nest', { jest }, [
        ...[
          pinned('jest'),
          'ts-jest@29.4.15',
          'typescript@5.9.3',
          '@types/jest@30.0.0',
          pinned('@types/node'),
        ],
      ]);
      const nodenext = JSON.parse(template('tsconfig.json')) as { compilerOptions: Record<string, unknown> };
      const { moduleResolution, resolvePackageJsonExports, isolatedModules, ...older } =
        nodenext.compilerOptions;
      expect([moduleResolution, resolvePackageJsonExports, isolatedModules]).toStrictEqual([
        'nodenext',
        true,
        true,
      ]);
      // Without `isolatedModules`, ts-jest checks types.
      commonjs = { compilerOptions: { ...older, module: 'commonjs' } };
      writeFileSync(join(project, 'tsconfig.json'), JSON.stringify(nodenext));
      mkdirSync(join(project, 'src'));
      const declaration = documentBlock('docs/clients.md', 'Jest from CommonJS / ts 1');
      writeFileSync(join(project, 'src/card.spec.ts'), `${suite.replace(IMPORT_RUNNER, '')}\n${declaration}`);
    }, SLOW);

    const passes = async (path: string): Promise<void> => {
      const command = `${COMMANDS.commonjs} 2>&1`;
      expect(await bash(project, command, path)).toMatch(/Tests: +1 passed, 1 total/);
    };

    it.each(NODES)('passes on $name', ({ path }) => passes(path), SLOW);

    it(
      'passes with module commonjs, as `nest new` generated until Nest 10',
      async () => {
        writeFileSync(join(project, 'tsconfig.json'), JSON.stringify(commonjs));
        await passes(process.execPath);
      },
      SLOW,
    );
  });

  it('needs sharp for mode local and for files, and says so', async () => {
    const project = join(folder, 'jest');
    writeFileSync(
      join(project, 'no-sharp.mjs'),
      `import { startPixseal } from '@pixseal/testing';
       const messages = [];
       await startPixseal({ mode: 'local' }).catch(({ message }) => messages.push(message));
       const pixseal = await startPixseal({ mode: 'blank' });
       const { id: issuerId } = await pixseal.createIssuer();
       await pixseal.createImage({ issuerId, file: new Uint8Array(1) }).catch(({ message }) => messages.push(message));
       await pixseal.close();
       console.log(JSON.stringify(messages));`,
    );
    expect(JSON.parse(await bash(project, 'node no-sharp.mjs'))).toStrictEqual([
      'Mode `local` needs the package sharp: npm install --save-dev sharp',
      'A `file` needs the package sharp: npm install --save-dev sharp',
    ]);
  });
});
