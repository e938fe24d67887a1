import { execFile, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import ts from 'typescript';
import { afterAll, beforeAll, describe, expect, inject, it, onTestFinished } from 'vitest';
import { built } from '../support/built.js';
import { startAdminApi, type AdminApi } from '../support/admin-api.js';
import { linkClient } from '../support/client-package.js';
import { hasBrowser, launchBrowser } from '../support/browser.js';
import { startUploadApi } from '../originals/upload-api.js';
import { measure } from '../support/pictures.js';
import { ownDatabase } from '../support/owned.js';
import { findFreePort } from '../support/postgres-server.js';
import { documentBlock, fillIn, readmeBlock } from '../support/readme.js';
import { signWith } from '../support/seed.js';
import { TEST_VARIABLES } from '../support/service.js';
import { type ServiceProcess, startServiceProcess } from '../support/service-process.js';

const STARTS = 120_000;
const ACCOUNT = { cloudName: 'shop', apiKey: '123', apiSecret: 'abc' };

/** An alias, an issuer, its DSN, an import, a URL. */
const lines = readmeBlock('With your Cloudinary account / sh 2').trimEnd().split('\n');
const [alias = '', create = '', setDsn = '', importImages = '', mint = ''] = lines;
const upload = readmeBlock('Upload an image / sh 1');

const missing = ['bash', 'curl', 'jq'].filter((tool) => spawnSync(tool, ['--version']).status !== 0);
if (missing.length > 0) {
  const left = `the README's commands, for want of ${missing.join(', ')}`;
  if (process.env['REQUIRE_LANGUAGES'] === '1') throw new Error(`Nothing may be left out: ${left}`);
  process.stderr.write(`\n*** LEFT OUT: ${left} (Debian: apt-get install ${missing.join(' ')}). ***\n\n`);
}
const embedded = inject('database').kind === 'embedded';
const runs = missing.length === 0 && embedded;

/** A reader's folder, with the built service and the documents' images. */
function createFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'pixseal-readme-'));
  symlinkSync(built(), join(folder, 'dist'));
  symlinkSync(resolve('docs'), join(folder, 'docs'));
  return folder;
}

/** Runs blocks as in a terminal in a reader's folder. @returns the standard output */
async function runBash(folder: string, service: ServiceProcess, blocks: readonly string[]): Promise<string> {
  const script = ['set -euo pipefail; shopt -s expand_aliases', alias, ...blocks].join('\n');
  const { stdout } = await promisify(execFile)(
    'bash',
    ['-c', script.replaceAll('127.0.0.1:3000', `127.0.0.1:${service.port}`)],
    { cwd: folder, env: { PATH: process.env['PATH'], HOME: folder, NO_COLOR: '1' } },
  );
  return stdout;
}

interface Created {
  readonly id: string;
  readonly key: { readonly dsn: string };
}

/** The issuer that the commands in a folder created. */
const readIssuer = (folder: string): Created =>
  JSON.parse(readFileSync(join(folder, 'issuer.json'), 'utf8')) as Created;

// The README starts from a fresh folder without settings, so from an embedded database: one kind is enough.
describe.runIf(runs)('the README', () => {
  let folder: string;
  let service: ServiceProcess;
  /** Of the issuer that its first command creates. */
  let issuerId: string;
  let dsn: string;

  beforeAll(async () => {
    folder = createFolder();
    service = await startServiceProcess({ DATA_DIR: join(folder, 'data') });
  }, STARTS);
  afterAll(async () => {
    service.kill('SIGTERM');
    await service.exited;
    rmSync(folder, { recursive: true, force: true });
  });

  const bash = (...blocks: readonly string[]): Promise<string> => runBash(folder, service, blocks);

  const secret = (): string => decodeURIComponent(new URL(dsn).password);

  it('creates an issuer, an image and a URL that shows it', async () => {
    const url = (await bash(create, setDsn, upload)).trim();
    ({
      id: issuerId,
      key: { dsn },
    } = readIssuer(folder));
    const picture = await fetch(url, { headers: { accept: 'image/png' } });
    expect(await measure(Buffer.from(await picture.arrayBuffer()))).toMatchObject({
      width: 400,
      height: 300,
    });
    expect(await bash(`pixseal explain '${url}'`)).toContain('c_fill,h_300,w_400');
  });

  it('signs in TypeScript that compiles a token that the service accepts', async () => {
    const project = join(folder, 'project');
    mkdirSync(join(project, 'node_modules'), { recursive: true });
    await linkClient(join(project, 'node_modules'));
    writeFileSync(join(project, 'package.json'), '{"type":"module"}');
    const [image] = await rowsOf('images');
    const path = join(project, 'seal.ts');
    const block = fillIn(readmeBlock('Sign in your backend / ts 1'), {
      "'161400d0-c894-42fd-8100-262361ea91ff'": 'process.argv[2]!',
    });
    writeFileSync(path, `${block}\nconsole.log(url);\n`);
    const options: ts.CompilerOptions = {
      strict: true,
      target: ts.ScriptTarget.ES2022,
      module: ts.ModuleKind.NodeNext,
      moduleResolution: ts.ModuleResolutionKind.NodeNext,
      types: ['node'],
      typeRoots: [resolve('node_modules/@types')],
    };
    const program = ts.createProgram([path], options);
    const faults = ts.getPreEmitDiagnostics(program);
    expect(faults.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'))).toStrictEqual(
      [],
    );
    program.emit();
    const { stdout } = await promisify(execFile)(process.execPath, [join(project, 'seal.js'), image ?? ''], {
      env: { ...process.env, PIXSEAL_DSN: dsn },
    });
    const { status, headers } = await fetch(stdout.trim(), { redirect: 'manual' });
    expect(status).toBe(302);
    expect(headers.get('location')).not.toContain('fl_attachment');
    await expect(
      promisify(execFile)(process.execPath, [join(project, 'seal.js')], {
        env: { ...process.env, PIXSEAL_DSN: dsn },
      }),
    ).rejects.toThrow('signToken: `imageId` is undefined.');
  });

  it('creates rows, a token and its explanation with the admin API', async () => {
    const printed = await bash(documentBlock('docs/admin.md', 'First rows by the API / sh 1'));
    expect(printed).toMatch(/Location: \S+c_fill,h_300,w_400\/fl_tiled,l_\S+shoes\/blue\.jpg\s*$/m);
    const [, steps = ''] = /^(\[[^]*\])$/m.exec(printed) ?? [];
    expect(JSON.parse(steps)).toMatchObject([
      { component: 'c_fill,h_300,w_400', ignored: [] },
      { component: expect.stringMatching(/^fl_tiled,l_/) as string, ignored: [] },
    ]);
  });

  it('creates, lists and revokes admin keys', async () => {
    const [functions = ''] = documentBlock('docs/admin.md', 'First rows by the API / sh 1').split('\n\n');
    const block = documentBlock('docs/admin.md', 'Admin keys / sh 1');
    const lines = block.trimEnd().split('\n');
    const revoke = lines.pop() ?? '';
    const printed = await bash(functions, 'ISSUER=$(jq -r .id issuer.json)', ...lines);
    const [id = ''] = await rowsOf('admin-keys', 'Reports');
    expect(printed).toContain(id);
    await bash(fillIn(revoke, { ADMIN_KEY_ID: id }));
    expect(await rowsOf('admin-keys', 'Reports')).toStrictEqual([]);
  });

  it('registers the images of an account', async () => {
    const account = await startAdminApi(ACCOUNT);
    try {
      account.assets = [1, 2].map((number) => ({
        public_id: `shoes/old_${number}`,
        type: 'authenticated',
        version: 1571218039,
        format: 'jpg',
      }));
      const block = fillIn(documentBlock('docs/admin.md', 'Images that are already in Cloudinary / sh 1'), {
        'API_KEY:API_SECRET@CLOUD_NAME': `${ACCOUNT.apiKey}:${ACCOUNT.apiSecret}@${ACCOUNT.cloudName}`,
        ISSUER_ID: issuerId,
      });
      const before = await rowsOf('images');
      await bash(`export CLOUDINARY_UPLOAD_PREFIX=${account.url}`, block);
      expect(await rowsOf('images')).toHaveLength(before.length + 2);
    } finally {
      await account.close();
    }
  });

  it('applies the overlays of its example to an image', async () => {
    const overlay = await admin('/overlays', { issuer_id: issuerId, public_id: 'marks/example' });
    const steps = fillIn(documentBlock('docs/tokens.md', 'Steps / json 1'), {
      '3d616b4e-a597-4b23-aa3d-d7de678f0ba6': overlay.id,
    });
    const [image = ''] = await rowsOf('images');
    const token = signWith(secret(), {
      iss: issuerId,
      image_id: image,
      exp: Math.floor(Date.now() / 1000) + 60,
      transformations: JSON.parse(steps) as unknown,
    });
    const response = await fetch(`${service.url}/images/${image}/explain?token=${token}`);
    expect(await response.json()).toMatchObject({ steps: [{ ignored: [] }, { ignored: [] }] });
  });

  it.runIf(hasBrowser())('shows the image in an <img>', async () => {
    const [image = ''] = await rowsOf('images', 'shoes/red');
    const exp = Math.floor(Date.now() / 1000) + 60;
    const token = signWith(secret(), { iss: issuerId, image_id: image, exp, sharinpix: { download: false } });
    const html = fillIn(readmeBlock('Sign in your backend / html 1'), {
      'https://img.example.com': service.url,
      '161400d0-c894-42fd-8100-262361ea91ff': image,
      'eyJ0…': token,
    });
    const browser = await launchBrowser();
    try {
      const page = await browser.newPage();
      await page.setContent(html);
      await page.waitForFunction('document.images[0].complete');
      expect(
        await page.evaluate('[document.images[0].naturalWidth > 0, document.images[0].alt]'),
      ).toStrictEqual([true, 'Red shoes']);
    } finally {
      await browser.close();
    }
  });

  /** A row created over the admin API. */
  async function admin(
    path: string,
    body?: unknown,
  ): Promise<{ id: string; items: Record<string, string>[] }> {
    const { admin_api_key: key } = JSON.parse(readFileSync(join(folder, 'data/secrets.json'), 'utf8')) as {
      admin_api_key: string;
    };
    const response = await fetch(`${service.url}/admin${path}`, {
      headers: {
        authorization: `Bearer ${key}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }),
    });
    return (await response.json()) as { id: string; items: Record<string, string>[] };
  }

  /** The ids of rows: of the issuer's, or of this name. */
  async function rowsOf(rows: string, name?: string): Promise<string[]> {
    const { items } = await admin(`/${rows}?limit=100`);
    return items
      .filter((row) =>
        name === undefined ? row['issuer_id'] === issuerId : [row['name'], row['public_id']].includes(name),
      )
      .map(({ id = '' }) => id);
  }
});

describe.runIf(runs)('the README with a Cloudinary account', () => {
  /** A reader's folder, and the service that the README's command starts there. */
  async function startWithAccount(
    uploadPrefix: string,
  ): Promise<{ folder: string; service: ServiceProcess; account: string }> {
    const folder = createFolder();
    onTestFinished(() => {
      rmSync(folder, { recursive: true, force: true });
    });
    const start = fillIn(readmeBlock('With your Cloudinary account / sh 1'), {
      'API_KEY:API_SECRET@CLOUD_NAME': `${ACCOUNT.apiKey}:${ACCOUNT.apiSecret}@${ACCOUNT.cloudName}`,
    });
    // The block's variable, and the service that its command starts.
    const { stdout } = await promisify(execFile)('bash', [
      '-euc',
      `npm() { echo "$1 $CLOUDINARY_URL"; }; ${start}`,
    ]);
    const [command, CLOUDINARY_URL = ''] = stdout.trim().split(' ');
    expect(command).toBe('start');
    const variables = { CLOUDINARY_URL, CLOUDINARY_UPLOAD_PREFIX: uploadPrefix };
    const service = await startServiceProcess({ ...variables, DATA_DIR: join(folder, 'data') });
    onTestFinished(async () => {
      service.kill('SIGTERM');
      await service.exited;
    });
    const account = Object.entries(variables).map(([name, value]) => `export ${name}=${value}`);
    return { folder, service, account: account.join('\n') };
  }

  async function startAccount(): Promise<AdminApi> {
    const account = await startAdminApi(ACCOUNT);
    onTestFinished(() => account.close());
    account.assets = ['upload', 'authenticated'].map((type) => ({
      public_id: `shoes/${type}`,
      type,
      version: 1_571_218_039,
      format: 'png',
    }));
    return account;
  }

  const shown = expect.stringMatching(
    /^https:\/\/res\.cloudinary\.com\/shop\/image\/authenticated\/s--\S+--\/\S+\/c_limit,w_400\/v1571218039\/shoes\/authenticated\.jpg$/,
  ) as string;

  it('imports the authenticated originals, and shows one, in five lines', async () => {
    const { url: prefix } = await startAccount();
    const { folder, service, account } = await startWithAccount(prefix);
    expect(lines).toHaveLength(5);
    const printed = await runBash(folder, service, [account, create, setDsn, importImages, mint]);
    expect(printed).toMatch(/^registered +1$/m);
    const [url = ''] = /^http:\S+$/m.exec(printed) ?? [];
    const { status, headers } = await fetch(url, { redirect: 'manual' });
    expect([status, headers.get('location')]).toStrictEqual([302, shown]);
  });

  it('prints the same five lines at its start, for its own folder, until an issuer was created', async () => {
    const { url: prefix } = await startAccount();
    const { folder, service, account } = await startWithAccount(prefix);
    await expect.poll(() => service.output().stdout, { timeout: 20_000 }).toContain('admin key');
    const printed = service.output().stdout;
    expect(printed).toContain(
      `listening on http://127.0.0.1:${service.port}, for the Cloudinary account shop`,
    );
    expect(printed).not.toContain('/images/');
    const commands = [...printed.matchAll(/^ {2}((?:export|alias|pixseal) .+)$/gm)].map(
      ([, line = '']) => line,
    );
    expect(commands).toHaveLength(5);
    expect(commands.slice(1)).toStrictEqual(lines.slice(1));
    const script = ['set -euo pipefail; shopt -s expand_aliases', account, ...commands].join('\n');
    const { stdout } = await promisify(execFile)('bash', ['-c', script], {
      cwd: folder,
      env: { PATH: process.env['PATH'], HOME: folder, NO_COLOR: '1' },
    });
    const [url = ''] = /^http:\S+$/m.exec(stdout) ?? [];
    const { status, headers } = await fetch(url, { redirect: 'manual' });
    expect([status, headers.get('location')]).toStrictEqual([302, shown]);
    // No row is the demo's.
    const { admin_api_key: key } = JSON.parse(readFileSync(join(folder, 'data/secrets.json'), 'utf8')) as {
      admin_api_key: string;
    };
    const issuers = await fetch(`${service.url}/admin/issuers`, {
      headers: { authorization: `Bearer ${key}` },
    });
    expect(await issuers.json()).toMatchObject({ items: [{ name: 'My shop' }] });

    service.kill('SIGTERM');
    await service.exited;
    const again = await startServiceProcess({
      CLOUDINARY_URL: `cloudinary://${ACCOUNT.apiKey}:${ACCOUNT.apiSecret}@${ACCOUNT.cloudName}`,
      DATA_DIR: join(folder, 'data'),
    });
    onTestFinished(async () => {
      again.kill('SIGTERM');
      await again.exited;
    });
    await expect.poll(() => again.output().stdout, { timeout: 20_000 }).toContain('admin key');
    expect(again.output().stdout).not.toContain('pixseal import');
  });

  it('uploads to the account, and creates a URL that redirects there', async () => {
    const account = await startUploadApi(ACCOUNT);
    onTestFinished(() => account.close());
    const { folder, service } = await startWithAccount(account.url);
    const url = (await runBash(folder, service, [create, setDsn, upload])).trim();
    expect([...account.assets.keys()]).toStrictEqual(['authenticated/shoes/red']);
    const { status, headers } = await fetch(url, { redirect: 'manual' });
    expect([status, headers.get('location')]).toStrictEqual([
      302,
      expect.stringMatching(
        /^https:\/\/res\.cloudinary\.com\/shop\/image\/authenticated\/s--\S+--\/\S+\/c_fill,h_300,w_400\/v\d+\/shoes\/red\.jpg$/,
      ),
    ]);
  });
});

describe.runIf(missing.length === 0 && !embedded)('the README to production without containers', () => {
  it('migrates an empty database by its address alone, and starts the service', async () => {
    const [migrate = '', start = ''] = documentBlock('docs/production.md', 'Without containers / sh 1')
      .trimEnd()
      .split('\n');
    const folder = mkdtempSync(join(tmpdir(), 'pixseal-readme-'));
    onTestFinished(() => {
      rmSync(folder, { recursive: true, force: true });
    });
    // Other tests use the installation and the build at the same time; .ci/run does both in a fresh clone.
    symlinkSync(built(), join(folder, 'dist'));
    const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as { scripts: object };
    const manifest = { type: 'module', scripts: { ...scripts, build: 'true' } };
    writeFileSync(join(folder, 'package.json'), JSON.stringify(manifest));
    const installed = 'npm() { [ "$1" = ci ] || command npm "$@"; }';
    const shell = (command: string, env: Readonly<Record<string, string>>): [string, string[], object] => [
      'bash',
      ['-euc', `${installed}; ${command}`],
      { cwd: folder, env: { PATH: process.env['PATH'], HOME: folder, ...env }, detached: true },
    ];

    const { DATABASE_URL = '' } = (await ownDatabase({ empty: true })).variables;
    const { stdout } = await promisify(execFile)(...shell(migrate, { DATABASE_URL }));
    expect(stdout).toContain('Ran CreateTables1764000000000');

    const port = await findFreePort();
    const production = { ...TEST_VARIABLES, DATABASE_URL, PORT: String(port) };
    const service = spawn(...shell(start, production));
    const ended = new Promise((done) => service.once('close', done));
    onTestFinished(async () => {
      // Of npm too, and of its child processes.
      if (service.pid !== undefined) process.kill(-service.pid, 'SIGTERM');
      await ended;
    });
    const ready = (): Promise<number> =>
      fetch(`http://127.0.0.1:${port}/health/ready`).then(
        ({ status }) => status,
        () => 0,
      );
    await expect.poll(ready, { timeout: 30_000 }).toBe(200);
  });
});
