import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it, onTestFinished } from 'vitest';
import { drawWatermark } from '../../src/operations/demo/drawings.js';
import { built } from '../support/built.js';
import {
  openDatabase,
  openService,
  output,
  pixseal,
  type Place,
  rowsOf,
  type Variables,
} from '../support/cli.js';
import { measure } from '../support/pictures.js';
import { SEED } from '../support/seed.js';
import { ADMIN_KEY, TEST_VARIABLES } from '../support/service.js';
import { ownProcess } from '../support/service-process.js';
import { waitUntil } from '../support/wait-until.js';
import { makeKeyPair } from '../tokens/public-key-fixtures.js';

const once = inject('once');
const embedded = inject('database').kind === 'embedded';
const UNKNOWN_ID = '00000000-0000-4000-8000-000000000000';
const PLACES = [
  { place: 'a database', open: openDatabase },
  ...(once ? [{ place: 'a running service', open: openService }] : []),
];

type Row = Readonly<Record<string, unknown>>;

describe.each(PLACES)('the command line on $place', ({ open }) => {
  const folder = mkdtempSync(join(tmpdir(), 'pixseal-cli-'));
  const mark = join(folder, 'mark.png');
  let place: Place;
  /** Names the issuer. */
  let variables: Variables;

  beforeAll(async () => {
    place = await open();
    writeFileSync(mark, await drawWatermark());
    const created = await pixseal(
      ['issuer', 'create', '--name', 'My shop', '--id', SEED.issuerId, '--json'],
      place.variables,
    );
    const { key } = JSON.parse(created.stdout) as { key: { dsn: string } };
    variables = { ...place.variables, PIXSEAL_DSN: key.dsn };
  });
  afterAll(async () => {
    await place.close();
    rmSync(folder, { recursive: true });
  });

  const json = async <T = Row>(args: readonly string[], input = ''): Promise<T> =>
    JSON.parse(await output([...args, '--json'], variables, input)) as T;

  it('uploads, lists, shows, changes, replaces and deletes an image', async () => {
    const shown = rowsOf(
      await output(['image', 'upload', 'docs/photo.jpg', '--access', 'public'], variables),
    );
    const { image: id = '', version } = shown;
    expect(shown).toMatchObject({
      issuer: SEED.issuerId,
      'public id': 'photo',
      format: 'jpg',
      access: 'public',
    });
    expect(await output(['image', 'list'], variables)).toBe(`${id}  photo`);
    expect(
      await json(['image', 'update', id, '--access', 'token', '--public-id', 'shoes/red']),
    ).toMatchObject({
      ...{ id, access: 'token', public_id: 'shoes/red' },
    });
    const replaced = await json(['image', 'replace', id, mark]);
    expect(replaced).toMatchObject({ id, format: 'png' });
    expect(Number(replaced['version'])).toBeGreaterThan(Number(version));
    expect(await json(['image', 'show', id])).toStrictEqual(replaced);
    expect(await output(['image', 'delete', id], variables)).toBe(`deleted  ${id}`);
    const gone = await pixseal(['image', 'show', id], variables);
    expect(gone).toMatchObject({ code: 1, stdout: '' });
    expect(gone.stderr).toContain('410 image_deleted');
  }, 120_000);

  it('uploads, lists, shows, changes and deletes an overlay', async () => {
    const overlay = await json(['overlay', 'upload', mark, '--public-id', 'marks/shop', '--shared']);
    expect(overlay).toMatchObject({ issuer_id: SEED.issuerId, public_id: 'marks/shop', shared: true });
    const id = String(overlay['id']);
    expect(await json(['overlay', 'list'])).toStrictEqual([overlay]);
    expect(await json(['overlay', 'update', id, '--no-shared'])).toMatchObject({ id, shared: false });
    expect(rowsOf(await output(['overlay', 'show', id], variables))).toMatchObject({ overlay: id });
    expect(await json(['overlay', 'delete', id])).toStrictEqual({ id, deleted: true });
    expect(await json(['overlay', 'list'])).toStrictEqual([]);
  }, 120_000);

  it('lists, shows, changes and deletes an issuer', async () => {
    const created = await pixseal(['issuer', 'create', '--name', 'Other', '--json'], variables);
    const { id } = JSON.parse(created.stdout) as { id: string };
    expect((await json<Row[]>(['issuer', 'list'])).map((issuer) => issuer['name']).sort()).toStrictEqual([
      ...['My shop', 'Other'],
    ]);
    const changes = ['--name', 'Renamed', '--delivery-format', 'webp', '--disabled'];
    expect(await json(['issuer', 'update', id, ...changes])).toMatchObject({
      ...{ name: 'Renamed', delivery_format: 'webp', disabled: true },
    });
    expect(rowsOf(await output(['issuer', 'show', id], variables))).toMatchObject({
      ...{ issuer: id, state: 'disabled', algorithm: 'HS256' },
    });
    expect(await output(['issuer', 'delete', id], variables)).toBe(`deleted  ${id}`);
    const gone = await pixseal(['issuer', 'show', id], variables);
    expect(gone.stderr).toContain('404 issuer_not_found');
  }, 120_000);

  it('reads and replaces a policy', async () => {
    expect(await json(['policy', 'get'])).toStrictEqual({});
    expect(await json(['policy', 'set', '{"max_width": 800}'])).toStrictEqual({ max_width: 800 });
    expect(await json(['policy', 'set', '@-'], '{"require_exp": true}')).toStrictEqual({ require_exp: true });
    expect(await json(['policy', 'get', '--issuer', SEED.issuerId])).toStrictEqual({ require_exp: true });
    expect(await pixseal(['policy', 'set', '{"max_widht": 1}'], variables)).toStrictEqual({
      code: 2,
      stdout: '',
      stderr:
        'error: these options are invalid (422 invalid_request)\n' +
        '  --policy: max_widht is unknown; did you mean `max_width`?\n',
    });
    expect(await json(['policy', 'set', '{}'])).toStrictEqual({});
  }, 120_000);

  it('rotates keys: the former ones expire, and can be changed and revoked', async () => {
    const { stdout, code } = await pixseal(['key', 'rotate', '--overlap', '1h', '--json'], variables);
    expect(code).toBe(0);
    const { key, expiring } = JSON.parse(stdout) as { key: Row; expiring: Row[] };
    expect(key).toMatchObject({ algorithm: 'HS256', not_after: null });
    expect(new URL(String(key['dsn'])).searchParams.get('kid')).toBe(key['id']);
    const [former = {}] = expiring;
    const end = Date.parse(String(former['not_after'])) - Date.now();
    expect([expiring.length, end > 3_300_000, end <= 3_600_000]).toStrictEqual([1, true, true]);
    const id = String(former['id']);
    expect(await json(['key', 'update', id, '--not-after', ''])).toMatchObject({ id, not_after: null });
    expect(await json(['key', 'revoke', id])).toStrictEqual({ id, revoked: true });
    expect((await json<Row[]>(['key', 'list'])).map((each) => each['id'])).toStrictEqual([key['id']]);
    const { pem } = makeKeyPair('EdDSA');
    const withPublicKey = ['key', 'rotate', '--overlap', '0s', '--public-key', '-'];
    const rotated = await pixseal([...withPublicKey, '--algorithm', 'EdDSA'], variables, pem);
    expect(rotated).toMatchObject({ code: 0, stderr: '' });
    expect(rotated.stdout).toMatch(/^key {8}[0-9a-f-]{36}\nalgorithm  EdDSA\nsecret {5}-\ndsn {8}-\n/);
    expect(await pixseal(withPublicKey, variables, pem)).toMatchObject({
      code: 2,
      stderr: 'error: --public-key requires --algorithm: EdDSA, ES256, RS256 or PS256.\n',
    });
    expect(await pixseal([...withPublicKey, '--secret-file', 'x'], variables)).toMatchObject({
      code: 2,
      stderr: 'error: --secret-file and --public-key exclude each other.\n',
    });
    expect(await pixseal(['key', 'rotate', '--overlap', 'soon'], variables)).toMatchObject({
      code: 2,
      stderr: 'error: --overlap must be a duration such as 90s, 15m, 1h or 7d.\n',
    });
  }, 120_000);

  it('revokes a token by itself or its jti, a session, an image and all tokens', async () => {
    const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
    const tokenOf = (claims: object): string =>
      `${encode({ typ: 'JWT', alg: 'HS256' })}.${encode(claims)}.c2ln`;
    const token = tokenOf({ iss: SEED.issuerId, jti: 'order-1', exp: 1_900_000_000 });
    const revoked = await json(['revoke', '-'], token);
    expect(revoked).toMatchObject({
      ...{ issuer_id: SEED.issuerId, jti: 'order-1', session_id: null },
      expires_at: '2030-03-17T17:46:40.000Z',
    });
    expect(await json(['revoke', 'order-2'])).toMatchObject({ jti: 'order-2', expires_at: null });
    expect(await json(['revoke', '--session', 's1'])).toMatchObject({ session_id: 's1', jti: null });
    const id = String(revoked['id']);
    expect(await json(['revocation', 'delete', id])).toStrictEqual({ id, deleted: true });
    const left = await json<Row[]>(['revocation', 'list']);
    expect(left.map(({ jti, session_id: session }) => jti ?? session).sort()).toStrictEqual([
      'order-2',
      's1',
    ]);

    const image = await json(['image', 'add', '--public-id', 'revoked', '--version', '1']);
    for (const [args, subject] of [
      [['revoke', '--image', String(image['id'])], image['id']],
      [['revoke', '--all'], SEED.issuerId],
    ] as const) {
      const { code, stdout, stderr } = await pixseal([...args, '--json'], variables);
      const row = JSON.parse(stdout) as Row;
      expect([code, row['id']]).toStrictEqual([0, subject]);
      expect(Math.abs(Date.parse(String(row['not_before'])) - Date.now())).toBeLessThan(60_000);
      expect(JSON.parse(stderr)).toStrictEqual({ note: expect.stringContaining('iat') as string });
    }
    for (const [args, detail] of [
      [['revoke'], 'Name what to revoke'],
      [['revoke', 'x', '--all'], 'Name what to revoke'],
      [['revoke', tokenOf({ iss: SEED.issuerId })], 'The token has no jti'],
    ] as const) {
      const outcome = await pixseal(args, variables);
      expect([outcome.code, outcome.stderr]).toStrictEqual([2, expect.stringContaining(detail)]);
    }
  }, 240_000);

  it('prints the last writes of the audit log, the newest last', async () => {
    await output(['issuer', 'update', SEED.issuerId, '--name', 'Audited'], variables);
    const filters = ['--issuer', SEED.issuerId, '--action', 'issuer.update'];
    const lines = (await output(['audit', 'tail', ...filters], variables)).split('\n');
    expect(lines.at(-1)).toMatch(new RegExp(`^\\S+Z {2}\\S+ {2}issuer\\.update {2}${SEED.issuerId}$`));
    const [last = {}] = await json<Row[]>(['audit', 'tail', '--lines', '1', '--row', SEED.issuerId]);
    expect(last).toMatchObject({ action: 'issuer.update', after: { name: 'Audited' } });
    expect(await pixseal(['audit', 'tail', '--lines', '101'], variables)).toMatchObject({
      code: 2,
      stderr: 'error: --lines must be a whole number from 1 to 100.\n',
    });
  }, 120_000);

  it('prints a fault of the command line, and a problem, as JSON in one line', async () => {
    const failure = async (args: readonly string[]): Promise<unknown> => {
      const { code, stdout, stderr } = await pixseal([...args, '--json'], variables);
      expect([stdout, stderr.trimEnd().split('\n').length]).toStrictEqual(['', 1]);
      return { ...(JSON.parse(stderr) as Row), exit: code };
    };
    expect(await failure(['issuer', 'show', UNKNOWN_ID])).toMatchObject({
      ...{ exit: 1, status: 404, code: 'issuer_not_found' },
    });
    expect(await failure(['issuer', 'create', '--nam', 'x'])).toStrictEqual({
      ...{ exit: 2, code: 'invalid_command_line' },
      detail: "unknown option '--nam'\n(Did you mean --name?)",
    });
    expect(await failure([])).toMatchObject({ exit: 2, code: 'invalid_command_line' });
    expect(await failure(['image', 'upload', join(folder, 'nothing.jpg')])).toMatchObject({
      ...{ exit: 2, code: 'invalid_command_line', detail: expect.stringContaining('(ENOENT)') as string },
    });
  }, 120_000);
});

describe.runIf(once)('audit tail --follow', () => {
  it('prints each new write once, until it is stopped', async () => {
    const place = await openService();
    onTestFinished(() => place.close());
    const child = spawn(
      process.execPath,
      [built('server/pixseal.js'), 'audit', 'tail', '--follow', '--json'],
      {
        env: { PATH: process.env['PATH'], ...place.variables },
      },
    );
    onTestFinished(() => void child.kill('SIGKILL'));
    let stdout = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    const ended = new Promise((done) => child.once('close', done));
    for (const name of ['First', 'Second']) {
      await pixseal(['issuer', 'create', '--name', name], place.variables);
      await waitUntil(`${name} is printed`, () => stdout.includes(`"name":"${name}"`));
    }
    child.kill('SIGINT');
    expect(await ended).toBe(0);
    const entries = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { action: string });
    expect(entries.filter(({ action }) => action === 'issuer.create')).toHaveLength(2);
  }, 60_000);
});

describe.runIf(embedded)('beside a running embedded service', () => {
  const folder = mkdtempSync(join(tmpdir(), 'pixseal-cli-'));
  afterAll(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  it('runs the first steps of the help word for word, to a picture', async () => {
    symlinkSync(built(), join(folder, 'dist'));
    symlinkSync(resolve('docs'), join(folder, 'docs'));
    const service = await ownProcess({ DATA_DIR: join(folder, 'data') });
    const help = await output(['--help']);
    const [, steps = ''] = /First steps, .*\n((?: {2}.*\n)+)/.exec(help) ?? [];
    const script = steps.replaceAll(/^ {2}\$ | {2}/gm, '');
    const { stdout, stderr } = spawnSync('bash', ['-c', `set -eu; shopt -s expand_aliases\n${script}`], {
      cwd: folder,
      env: { PATH: process.env['PATH'] },
      encoding: 'utf8',
    });
    const [url = stderr] = /^http:\S+$/m.exec(stdout) ?? [];
    // Its port is not the default one.
    expect(url).toContain(`http://127.0.0.1:${service.port}/images/`);
    const picture = await fetch(url, { headers: { accept: 'image/png' } });
    expect(picture.headers.get('content-disposition')).toBeNull();
    expect(await measure(Buffer.from(await picture.arrayBuffer()))).toMatchObject({
      width: 400,
      height: 300,
    });
  }, 120_000);

  it('says that keys rewrap needs the database', async () => {
    const dataDir = mkdtempSync(join(folder, 'data-'));
    await ownProcess({ DATA_DIR: dataDir });
    const { code, stderr } = await pixseal(['keys', 'rewrap'], { DATA_DIR: dataDir });
    expect(code).toBe(2);
    expect(stderr).toContain('a service with an embedded database must be stopped');
  }, 60_000);
});

describe.runIf(once)('the admin key', () => {
  it('is in PIXSEAL_ADMIN_KEY, or in the file of PIXSEAL_ADMIN_KEY_FILE; a whole secrets.json is deprecated', async () => {
    const place = await openService();
    onTestFinished(() => place.close());
    const folder = mkdtempSync(join(tmpdir(), 'pixseal-cli-'));
    onTestFinished(() => {
      rmSync(folder, { recursive: true });
    });
    const { PIXSEAL_SERVER = '' } = place.variables;
    const secrets = JSON.stringify({ admin_api_key: ADMIN_KEY, secrets_key: 'canary' });
    writeFileSync(join(folder, 'secrets.json'), secrets);
    const list = (variables: Variables): ReturnType<typeof pixseal> =>
      pixseal(['issuer', 'list', '--json'], { PIXSEAL_SERVER, ...variables });
    const listed = { code: 0, stdout: '[]\n', stderr: '' };
    expect(await list({ PIXSEAL_ADMIN_KEY: ADMIN_KEY })).toStrictEqual(listed);
    expect(await list({ PIXSEAL_ADMIN_KEY_FILE: join(folder, 'secrets.json') })).toStrictEqual(listed);
    const former = await list({ PIXSEAL_ADMIN_KEY: secrets });
    expect(former).toMatchObject({ code: 0, stdout: '[]\n' });
    expect(JSON.parse(former.stderr)).toMatchObject({
      note: expect.stringContaining('deprecated') as string,
    });
    expect(former.stderr).not.toContain('canary');
  }, 60_000);

  it('is not needed to refuse an unknown command, and no database is created to read', async () => {
    const dataDir = join(tmpdir(), `pixseal-${process.pid}-none`);
    const { code, stderr } = await pixseal(['admin-key', 'list'], { DATA_DIR: dataDir });
    expect([code, stderr]).toStrictEqual([2, expect.stringContaining('There is no database')]);
    expect(await pixseal(['--version', 'extra'], TEST_VARIABLES)).toStrictEqual({
      code: 2,
      stdout: '',
      stderr: 'error: --version takes no argument, and there is "extra".\n',
    });
  });
});

describe.runIf(once)('completion', () => {
  const SHELLS = ['bash', 'zsh', 'fish'] as const;
  const missing = SHELLS.filter((shell) => spawnSync(shell, ['--version']).status !== 0);
  if (missing.length > 0 && process.env['REQUIRE_LANGUAGES'] === '1') {
    throw new Error(`Nothing may be left out: completion in ${missing.join(', ')}`);
  }
  const folder = mkdtempSync(join(tmpdir(), 'pixseal-completion-'));
  beforeAll(async () => {
    for (const shell of SHELLS) {
      writeFileSync(join(folder, shell), `${await output(['completion', shell])}\n`);
    }
  });
  afterAll(() => {
    rmSync(folder, { recursive: true });
  });

  /** What a shell offers after a line, without descriptions. */
  const WAYS = {
    bash: (line: string) => `
      source '${join(folder, 'bash')}'
      COMP_WORDS=(${line.replace(/ $/, " ''")}); COMP_CWORD=$((\${#COMP_WORDS[@]} - 1))
      _pixseal; printf '%s\\n' "\${COMPREPLY[@]}"`,
    zsh: (line: string) => `
      compdef() { :; }; _files() { print files; }
      _describe() { print -l -- "\${items[@]%%:*}"; }; compadd() { shift; print -l -- "$@"; }
      source '${join(folder, 'zsh')}'
      words=(${line.replace(/ $/, " ''")}); CURRENT=\${#words}
      _pixseal`,
    fish: (line: string) => `
      source '${join(folder, 'fish')}'
      complete -C '${line}' | string split -f 1 \\t`,
  };

  describe.each(SHELLS.filter((shell) => !missing.includes(shell)))('in %s', (shell) => {
    const offered = (line: string): string[] => {
      const { stdout, stderr } = spawnSync(shell, ['-c', WAYS[shell](line)], {
        encoding: 'utf8',
        cwd: folder,
      });
      expect(stderr).toBe('');
      // fish sorts them.
      return stdout.trimEnd().split('\n').sort();
    };

    it('offers commands, the commands of a group, options, and values of options', () => {
      expect(offered('pixseal ')).toStrictEqual(
        expect.arrayContaining(['issuer', 'image', 'token', 'explain']),
      );
      expect(offered('pixseal image ')).toStrictEqual(
        expect.arrayContaining(['add', 'upload', 'list', 'show', 'update', 'replace', 'delete']),
      );
      expect(offered('pixseal account secret ')).toStrictEqual(
        expect.arrayContaining(['add', 'list', 'update', 'revoke']),
      );
      expect(offered('pixseal image upload photo.jpg --')).toStrictEqual(
        expect.arrayContaining(['--public-id', '--access', '--json']),
      );
      expect(offered('pixseal image upload --access ')).toStrictEqual(['public', 'token']);
      expect(offered('pixseal completion ')).toStrictEqual(['bash', 'fish', 'zsh']);
    });
  });

  it('has every command of the help', async () => {
    const help = await output(['--help']);
    const [, list = ''] = /^Commands:\n((?: {2}.*\n)+)/m.exec(help) ?? [];
    const names = list.split('\n').flatMap((line) => /^ {2}(\w\S*)/.exec(line)?.[1] ?? []);
    expect(names.length).toBeGreaterThan(30);
    const script = readFileSync(join(folder, 'bash'), 'utf8');
    for (const name of names) expect(script).toContain(`' ${name}`);
  });

  it('refuses another shell, and names those that it has', async () => {
    expect(await pixseal(['completion', 'csh'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('Allowed choices are bash, zsh, fish.') as string,
    });
  });
});
