import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DataSource } from 'typeorm';
import { built } from '../support/built.js';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { createAccount } from '../support/accounts.js';
import { createAdminKey } from '../support/admin-keys.js';
import { startAdminApi, type AccountAsset, type AdminApi } from '../support/admin-api.js';
import { hasProgram } from '../support/programs.js';
import { post } from '../support/seed.js';
import {
  ADMIN_KEY,
  API_SECRET,
  CLOUD,
  startService,
  TEST_VARIABLES,
  type Service,
} from '../support/service.js';
import { spawnBuilt, type ProcessExit } from '../support/service-process.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';

const embedded = inject('database').kind === 'embedded';

let api: AdminApi;
let database: TestDatabase;
let service: Service;
let folder: string;
let issuerId: string;

beforeAll(async () => {
  api = await startAdminApi({ cloudName: CLOUD, apiKey: '123456789012345', apiSecret: API_SECRET });
  database = await createTestDatabase();
  service = await startService({}, database);
  folder = mkdtempSync(join(tmpdir(), 'pixseal-import-'));
});
afterAll(async () => {
  await service.close();
  await database.drop();
  await api.close();
  rmSync(folder, { recursive: true, force: true });
});
beforeEach(async () => {
  Object.assign(api, {
    refuse: null,
    pageSize: 5,
    rate: { remaining: 499, reset: new Date() },
    counts: true,
    counted: 0,
    unlisted: [],
    folderMode: 'dynamic',
  });
  api.searches.length = 0;
  api.lists.length = 0;
  api.lookedUp.length = 0;
  issuerId = (await post<{ id: string }>(service, '/issuers', { name: 'Importing' })).id;
});

let accounts = 0;
/** An account with this number of images, with unique names. */
function fill(count: number, type = 'authenticated'): AccountAsset[] {
  const prefix = `account_${++accounts}`;
  api.assets = Array.from({ length: count }, (_, index) => ({
    public_id: `${prefix}/${index}`,
    type,
    version: 1_700_000_000 + index,
    format: 'png',
  }));
  return api.assets;
}

const overHttp = (): Record<string, string> => ({
  PIXSEAL_SERVER: service.url,
  PIXSEAL_ADMIN_KEY: ADMIN_KEY,
});
/** One service alone can use an embedded database. */
const onDatabase = (): Record<string, string> =>
  embedded ? overHttp() : { ...TEST_VARIABLES, ...database.variables };

const account = (): Record<string, string> => ({
  CLOUDINARY_URL: TEST_VARIABLES.CLOUDINARY_URL,
  CLOUDINARY_UPLOAD_PREFIX: api.url,
});

function pixsealImport(
  args: readonly string[] = [],
  place: Record<string, string> = overHttp(),
): Promise<ProcessExit> {
  const variables = { ...place, ...account() };
  return spawnBuilt('server/pixseal.js', variables, ['import', '--issuer', issuerId, ...args]).exited;
}

/** The same on a terminal. @returns the text of each bar, after a check that all have the same length */
async function drawnImport(args: readonly string[]): Promise<{ code: number | null; bars: string[] }> {
  const command = [process.execPath, built('server/pixseal.js'), 'import', '--issuer', issuerId, ...args];
  const child = spawn('script', ['--quiet', '--return', '--command', command.join(' '), '/dev/null'], {
    env: { PATH: process.env['PATH'], ...overHttp(), ...account() },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let screen = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (screen += text));
  const [code] = (await once(child, 'close')) as [number | null];
  const bars = [...screen.matchAll(/\[(=*)-*\] ((\d+) of (\d+))/g)].map(
    ([, drawn = '', said = '', done, total]) => {
      expect([said, drawn]).toStrictEqual([
        said,
        '='.repeat(Math.round((Number(done) / Number(total)) * 30)),
      ]);
      return said;
    },
  );
  return { code, bars };
}

async function counts(args: readonly string[] = []): Promise<unknown> {
  const { code, stdout, stderr } = await pixsealImport([...args, '--json']);
  expect({ code, stderr }).toStrictEqual({ code: 0, stderr: '' });
  return JSON.parse(stdout);
}

const none = { registered: 0, updated: 0, unchanged: 0, released: 0, conflicts: [], refused: [] };
const rows = (): Promise<object[]> =>
  service.app
    .get(DataSource)
    .query<object[]>(
      'SELECT public_id, delivery_type AS type, version::int, format FROM images WHERE issuer_id = $1',
      [issuerId],
    );
const byName = (a: object, b: object): number => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1);

describe('pixseal import', () => {
  it.each<[name: string, assets: AccountAsset[], args: string[], note: string]>([
    ['an empty account', [], [], `the account ${CLOUD} has no image of type authenticated`],
    [
      'the default type, if all images have another',
      [{ public_id: 'a', type: 'upload', version: 1, format: 'png' }],
      [],
      `the account ${CLOUD} has no image of type authenticated; it has such images of type upload: add --type upload`,
    ],
    [
      'a folder that is not in the public ids',
      [{ public_id: 'red_abc', type: 'upload', version: 1, format: 'png' }],
      ['--type', 'upload', '--prefix', 'shoes/'],
      `the account ${CLOUD} has no image of type upload with a public id that begins with shoes/; ` +
        '--prefix applies to public ids, which do not contain the folder in accounts with dynamic folders: use --folder there',
    ],
    [
      'a prefix and a tag',
      [{ public_id: 'shoes/red', type: 'private', version: 1, format: 'png', tags: ['sale'] }],
      ['--prefix', 'shoes/', '--tag', 'sale', '--dry-run'],
      `the account ${CLOUD} has no image of type authenticated with a public id that begins with shoes/ and the tag sale; ` +
        'it has such images of type private: add --type private; ' +
        '--prefix applies to public ids, which do not contain the folder in accounts with dynamic folders: use --folder there',
    ],
  ])('names what it searched for if it finds nothing: %s', async (_, assets, args, text) => {
    api.assets = assets;
    const { code, stdout, stderr } = await pixsealImport([...args, '--json']);
    expect({ code, stderr }).toStrictEqual({ code: 0, stderr: `${JSON.stringify({ note: text })}\n` });
    expect(JSON.parse(stdout)).toStrictEqual(none);
  });

  it('uses the issuer’s own account, and refuses CLOUDINARY_URL of another one', async () => {
    const own = await startAdminApi({
      cloudName: 'agency',
      apiKey: 'agency-key',
      apiSecret: 'agency-secret',
    });
    try {
      const { id } = await createAccount(service, 'agency', { upload_prefix: own.url });
      issuerId = (await post<{ id: string }>(service, '/issuers', { name: 'Agency', account_id: id })).id;
      own.assets = [{ public_id: 'theirs', type: 'authenticated', version: 7, format: 'png' }];
      fill(2);
      const refused = await pixsealImport();
      expect([refused.code, refused.stdout]).toStrictEqual([2, '']);
      expect(refused.stderr).toContain(
        'The issuer’s account has the cloud agency, and CLOUDINARY_URL another one.',
      );
      const CLOUDINARY_URL = 'cloudinary://agency-key:agency-secret@agency';
      const variables = { ...overHttp(), CLOUDINARY_URL, CLOUDINARY_UPLOAD_PREFIX: own.url };
      const args = ['import', '--issuer', issuerId, '--json'];
      const { code, stdout } = await spawnBuilt('server/pixseal.js', variables, args).exited;
      expect([code, JSON.parse(stdout)]).toStrictEqual([0, { ...none, registered: 1 }]);
      expect(await rows()).toMatchObject([{ public_id: 'theirs' }]);
    } finally {
      await own.close();
    }
  });

  it('registers an account of three pages, and nothing more when it runs again', async () => {
    const assets = fill(1_200);
    api.pageSize = 500;
    const first = await pixsealImport([], onDatabase());
    expect(first).toMatchObject({
      code: 0,
      stdout:
        'registered         1200\nupdated            0\nunchanged          0\nreleased           0\n' +
        'of another issuer  0\ninvalid            0\n',
    });
    expect(api.lists).toHaveLength(3);
    expect(api.counted).toBe(1);
    expect((await rows()).sort(byName)).toStrictEqual(
      assets
        .map(({ public_id, type, version, format }) => ({ public_id, type, version, format }))
        .sort(byName),
    );
    expect(await counts()).toStrictEqual({ ...none, unchanged: 1_200 });
  });

  it('updates to newer versions, and keeps newer ones of Pixseal', async () => {
    const assets = fill(2);
    await counts();
    api.assets = assets.map((asset, index) =>
      index === 0
        ? { ...asset, version: 1_800_000_000, format: 'webp' }
        : { ...asset, version: 1_600_000_000 },
    );
    expect(await counts()).toStrictEqual({ ...none, updated: 1, unchanged: 1 });
    expect((await rows()).sort(byName)).toMatchObject([
      { version: 1_800_000_000, format: 'webp' },
      { version: 1_700_000_001, format: 'png' },
    ]);
  });

  it('prints in a dry run what it would do, and writes nothing', async () => {
    const [known, theirs] = fill(4);
    const other = await post<{ id: string }>(service, '/issuers', { name: 'Another' });
    await post(service, '/images', { issuer_id: issuerId, public_id: known?.public_id, version: 1 });
    await post(service, '/overlays', { issuer_id: other.id, public_id: theirs?.public_id });
    const { code, stdout, stderr } = await pixsealImport(['--dry-run']);
    expect(code).toBe(1);
    expect(stdout).toBe(
      'would be registered  2\nwould be updated     1\nunchanged            0\nwould be released    0\n' +
        'of another issuer    1\ninvalid              0\n',
    );
    expect(stderr).toContain(`${theirs?.public_id ?? ''}: another issuer owns this public id`);
    expect(await rows()).toHaveLength(1);
  });

  it.each([
    ['a dry run', ['--dry-run']],
    ['an import', []],
  ])('sends no request to the account in %s for an unknown issuer', async (_, args) => {
    fill(1);
    issuerId = randomUUID();
    for (const place of [overHttp(), onDatabase()]) {
      expect(await pixsealImport(args, place)).toMatchObject({
        code: 1,
        stdout: '',
        stderr: 'error: 404 issuer_not_found: No issuer has this id. Check it.\n',
      });
    }
    expect(api.lists).toStrictEqual([]);
  });

  it('imports only a type, a prefix or a tag', async () => {
    const assets = fill(3, 'upload').map((asset, index) => ({
      ...asset,
      tags: index === 1 ? ['chosen'] : [],
    }));
    api.assets = [...assets, ...fill(2)];
    const uploads = ['--type', 'upload'];
    expect(await counts([...uploads, '--tag', 'chosen'])).toMatchObject({ registered: 1, unchanged: 0 });
    api.assets = [...assets, ...fill(2)];
    const prefix = assets[0]?.public_id ?? '';
    expect(await counts([...uploads, '--prefix', prefix])).toMatchObject({ registered: 1, unchanged: 0 });
    expect(await counts(uploads)).toMatchObject({ registered: 1, unchanged: 2 });
    expect((await rows()).every((row) => (row as AccountAsset).type === 'upload')).toBe(true);
  });

  it.each<[mode: 'dynamic' | 'fixed', field: string]>([
    ['dynamic', 'asset_folder'],
    ['fixed', 'folder'],
  ])('imports only a folder and what is below it, in an account with %s folders', async (mode, field) => {
    api.folderMode = mode;
    const folders = ['summer "30"', 'summer "30"/red', 'summer "30"', 'summer "30" old', 'winter', ''];
    const inFolders = (type: string): AccountAsset[] =>
      fill(folders.length, type).map((asset, index) => {
        const folder = folders[index] ?? '';
        if (mode === 'dynamic') return { ...asset, asset_folder: folder };
        return { ...asset, public_id: `${folder}/${asset.public_id.replace('/', '_')}`.replace(/^\//, '') };
      });
    api.assets = [...inFolders('upload'), ...inFolders('authenticated')];
    api.pageSize = 2;
    expect(await counts(['--folder', '/summer "30"/'])).toMatchObject({ registered: 3 });
    const [first, second] = api.searches;
    expect(first).toBe(
      `resource_type:image AND type:authenticated AND (${field}="summer \\"30\\"" OR ${field}="summer \\"30\\"/*")`,
    );
    expect(second).toBe(first);
    expect(api.lists).toStrictEqual([]);
    expect(await counts(['--folder', 'summer "30"', '--dry-run'])).toMatchObject({ unchanged: 3 });
    expect(await pixsealImport(['--folder', 'winter', '--tag', 'none'])).toMatchObject({
      code: 0,
      stderr: expect.stringContaining('with the tag none and the folder winter') as string,
    });
  });

  it('registers no image that a pattern in the folder’s name finds elsewhere', async () => {
    const [below, named] = fill(2) as [AccountAsset, AccountAsset];
    api.assets = [
      { ...below, asset_folder: 'shoes/red' },
      { ...named, asset_folder: 'shoes/*' },
    ];
    expect(await counts(['--folder', 'shoes/*'])).toMatchObject({ registered: 1 });
  });

  it('refuses a folder without a name', async () => {
    expect(await pixsealImport(['--folder', '/'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--folder must name a folder') as string,
    });
  });

  it('lists another issuer’s images and those that cannot be registered, and registers the rest', async () => {
    const [theirs] = fill(3);
    const other = await post<{ id: string }>(service, '/issuers', { name: 'Another' });
    await post(service, '/images', { issuer_id: other.id, public_id: theirs?.public_id, version: 1 });
    api.assets.push({ public_id: '50%', type: 'authenticated', version: 1, format: 'jpg' });
    const { code, stdout, stderr } = await pixsealImport(['--json'], onDatabase());
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toStrictEqual({
      ...none,
      registered: 2,
      conflicts: [theirs?.public_id],
      refused: [{ public_id: '50%', detail: 'must contain none of ? & # \\ % < > +' }],
    });
    expect(stderr).toContain('some images cannot be registered');
  });

  it('restores no image that was deleted here, unless the account has a newer one', async () => {
    const [deletedName, newer, taken] = fill(4);
    await counts();
    for (const asset of [deletedName, newer]) {
      const { items } = (
        await service.admin('GET', `/images?issuer_id=${issuerId}&public_id=${asset?.public_id ?? ''}`)
      ).json() as { items: { id: string }[] };
      await service.admin('DELETE', `/images/${items[0]?.id ?? ''}`);
    }
    api.assets = api.assets.map((asset) =>
      asset.public_id === newer?.public_id || asset.public_id === taken?.public_id
        ? { ...asset, version: 1_800_000_000 }
        : asset,
    );
    const expected = { ...none, registered: 1, updated: 1, unchanged: 2 };
    expect(await counts(['--dry-run'])).toStrictEqual(expected);
    const { code, stdout } = await pixsealImport(['--json'], onDatabase());
    expect([code, JSON.parse(stdout)]).toStrictEqual([0, expected]);
    expect(await counts()).toStrictEqual({ ...none, unchanged: 4 });
  });

  describe('with images of the issuer that were deleted here', () => {
    /** Registers an account, and deletes some of its images. @returns the public ids that are retained. */
    async function deleteHere(count: number, deletions: number): Promise<string[]> {
      const names = fill(count)
        .slice(0, deletions)
        .map(({ public_id: name }) => name);
      await counts();
      for (const name of names) {
        const { items } = (
          await service.admin('GET', `/images?issuer_id=${issuerId}&public_id=${name}`)
        ).json() as { items: { id: string }[] };
        await service.admin('DELETE', `/images/${items[0]?.id ?? ''}`);
      }
      expect(await retained()).toStrictEqual(names);
      return names;
    }
    async function retained(): Promise<string[]> {
      const path = `/retained-public-ids?issuer_id=${issuerId}`;
      const { items } = (await service.admin('GET', path)).json() as { items: { public_id: string }[] };
      return items.map(({ public_id: name }) => name).sort();
    }

    it('releases those that the account no longer has, each looked up', async () => {
      const [kept = '', lagging = '', deletedName = ''] = await deleteHere(5, 3);
      api.assets = api.assets.filter(({ public_id: name }) => name !== deletedName && name !== lagging);
      api.unlisted = [lagging];
      expect(await counts(['--dry-run'])).toStrictEqual({ ...none, unchanged: 3, released: 1 });
      expect(await retained()).toStrictEqual([kept, lagging, deletedName]);
      const { code, stdout } = await pixsealImport(['--json'], onDatabase());
      expect([code, JSON.parse(stdout)]).toStrictEqual([0, { ...none, unchanged: 3, released: 1 }]);
      expect(await retained()).toStrictEqual([kept, lagging]);
      expect(api.lookedUp.toSorted()).toStrictEqual([lagging, lagging, deletedName, deletedName].toSorted());
    });

    it.each<[what: string, args: string[]]>([
      ['a tag is a filter', ['--tag', 'chosen']],
      ['a folder is a filter', ['--folder', 'elsewhere']],
      ['another prefix is a filter', ['--prefix', 'elsewhere/']],
      ['another type is listed', ['--type', 'upload']],
    ])('releases nothing if %s', async (_, args) => {
      const names = await deleteHere(3, 1);
      api.assets = api.assets.filter(({ public_id: name }) => !names.includes(name));
      expect(await pixsealImport(args)).toMatchObject({ code: 0 });
      expect(await retained()).toStrictEqual(names);
      expect(api.lookedUp).toStrictEqual([]);
    });

    it('releases nothing if the account has no registered image, as if it were another account', async () => {
      const names = await deleteHere(3, 1);
      fill(2);
      expect(await counts()).toStrictEqual({ ...none, registered: 2 });
      expect(await retained()).toStrictEqual(names);
    });

    it('releases nothing if a stopped run is resumed; the next full run does', async () => {
      const names = await deleteHere(12, 2);
      // The walk resumes after the first of them, so it cannot know that this one exists.
      const [kept = '', deletedName = ''] = names;
      api.assets = api.assets.filter(({ public_id: name }) => name !== deletedName);
      const state = join(folder, 'stopped-retained.json');
      api.refuse = (cursor) => (cursor === '0.10' ? { status: 403, message: 'Access denied' } : null);
      expect(await pixsealImport(['--state', state])).toMatchObject({ code: 1, stdout: '' });
      expect(await retained()).toStrictEqual(names);
      api.refuse = null;
      const resumed = await pixsealImport(['--state', state, '--json']);
      expect(JSON.parse(resumed.stdout)).toStrictEqual({ ...none, unchanged: 1 });
      expect([await retained(), api.lookedUp]).toStrictEqual([names, []]);
      expect(await counts()).toStrictEqual({ ...none, unchanged: 11, released: 1 });
      expect(await retained()).toStrictEqual([kept]);
    });

    it('ends the retention of one that the account has in a newer version', async () => {
      const [newer = '', same = ''] = await deleteHere(3, 2);
      api.assets = api.assets.map((asset) =>
        asset.public_id === newer ? { ...asset, version: asset.version + 1 } : asset,
      );
      expect(await counts()).toStrictEqual({ ...none, registered: 1, unchanged: 2 });
      expect(await retained()).toStrictEqual([same]);
    });

    it('leaves ids that are retained for another issuer, and continues', async () => {
      const names = await deleteHere(2, 2);
      const owner = issuerId;
      issuerId = (await post<{ id: string }>(service, '/issuers', { name: 'Another' })).id;
      api.assets = [...api.assets, ...fill(3)];
      const { code, stdout } = await pixsealImport(['--json']);
      const result = JSON.parse(stdout) as { conflicts: string[] };
      expect([code, { ...result, conflicts: result.conflicts.toSorted() }]).toStrictEqual([
        1,
        { ...none, registered: 3, conflicts: names },
      ]);
      issuerId = owner;
      expect(await retained()).toStrictEqual(names);
    });

    it('releases nothing with an admin key that is bound to the issuer', async () => {
      const names = await deleteHere(3, 1);
      api.assets = api.assets.filter(({ public_id: name }) => !names.includes(name));
      const { key } = await createAdminKey(service, { issuer_id: issuerId });
      const { code, stdout } = await pixsealImport(['--json'], { ...overHttp(), PIXSEAL_ADMIN_KEY: key });
      expect([code, JSON.parse(stdout)]).toStrictEqual([0, { ...none, unchanged: 2 }]);
      expect(await retained()).toStrictEqual(names);
    });
  });

  it('does not affect overlays of the same name', async () => {
    const [mark] = fill(1);
    await post(service, '/overlays', {
      issuer_id: issuerId,
      public_id: mark?.public_id,
      delivery_type: 'authenticated',
    });
    expect(await counts()).toStrictEqual({ ...none, unchanged: 1 });
  });

  it('resumes where it stopped, and deletes its state once it is done', async () => {
    fill(12);
    const state = join(folder, 'stopped.json');
    api.refuse = (cursor) => (cursor === '0.10' ? { status: 403, message: 'Access denied' } : null);
    const stopped = await pixsealImport(['--state', state]);
    expect(stopped).toMatchObject({ code: 1, stdout: '' });
    expect(stopped.stderr).toContain('Could not list images from Cloudinary: 403: Access denied');
    expect(stopped.stderr + readFileSync(state, 'utf8')).not.toContain(API_SECRET);
    expect(await rows()).toHaveLength(10);

    const elsewhere = await pixsealImport(['--state', state, '--type', 'upload']);
    expect(elsewhere).toMatchObject({ code: 2, stdout: '' });
    expect(elsewhere.stderr).toContain('belongs to another import');

    api.refuse = null;
    api.lists.length = 0;
    const resumed = await pixsealImport(['--state', state, '--json']);
    expect(resumed).toMatchObject({
      code: 0,
      stderr: '{"note":"resuming where the last run stopped"}\n',
    });
    expect(JSON.parse(resumed.stdout)).toStrictEqual({ ...none, registered: 2 });
    expect(api.lists).toHaveLength(1);
    expect(existsSync(state)).toBe(false);
  });

  it.runIf(hasProgram('script', 'the progress bar of `pixseal import`'))(
    'draws a progress bar on a terminal, and resumes it from the last run',
    async () => {
      fill(12);
      const state = join(folder, 'drawn.json');
      let refusals = 0;
      // The bar shows the first page while the second is awaited; the third is never sent.
      api.refuse = (cursor) => {
        if (cursor === '0.10') return { status: 403, message: 'Access denied' };
        return cursor === '0.5' && ++refusals === 1 ? { status: 500, message: 'General Error' } : null;
      };
      const stopped = await drawnImport(['--state', state]);
      expect(stopped).toMatchObject({
        code: 1,
        bars: expect.arrayContaining(['0 of 12', '5 of 12']) as unknown,
      });
      expect(stopped.bars.at(-1)).toBe('10 of 12');
      api.refuse = null;
      const resumed = await drawnImport(['--state', state]);
      expect([resumed.code, resumed.bars[0], resumed.bars.at(-1)]).toStrictEqual([0, '10 of 12', '12 of 12']);
    },
  );

  it('starts over if its cursor is no longer valid', async () => {
    fill(6);
    const state = join(folder, 'forgotten.json');
    api.refuse = (cursor) => (cursor === null ? null : { status: 403, message: 'Access denied' });
    expect((await pixsealImport(['--state', state])).code).toBe(1);
    api.refuse = null;
    api.forgetCursors();
    const resumed = await pixsealImport(['--state', state, '--json']);
    expect(resumed.code).toBe(0);
    expect(resumed.stderr).toContain('Cloudinary’s cursor has expired');
    expect(JSON.parse(resumed.stdout)).toStrictEqual({ ...none, registered: 1, unchanged: 5 });
  });

  it.each([
    [420, true],
    [429, false],
  ])(
    'waits if the rate limit is reached (%i), and retries if Cloudinary fails',
    async (status, namesTime) => {
      fill(11);
      let refusals = 0;
      api.refuse = (cursor) => {
        if (cursor === null || ++refusals > 2) return null;
        if (refusals === 2) return { status: 500, message: 'General Error' };
        const at = new Date(Date.now() + 1_000).toISOString().slice(0, 19).replace('T', ' ');
        return { status, message: `Rate Limit Exceeded.${namesTime ? ` Try again on ${at} UTC` : ''}` };
      };
      const { code, stdout, stderr } = await pixsealImport(['--json']);
      expect(code).toBe(0);
      expect(JSON.parse(stdout)).toStrictEqual({ ...none, registered: 11 });
      expect(stderr).toMatch(/^\{"note":"Cloudinary’s rate limit: waiting until \d\d:\d\d:\d\d UTC"\}\n/);
      expect(stderr).toContain('{"note":"General Error: waiting until');
    },
  );

  it('pauses after the last request that the rate limit allows', async () => {
    fill(6);
    api.counts = false;
    const reset = new Date(Date.now() + 3_000);
    api.rate = { remaining: 0, reset };
    const { code, stderr } = await pixsealImport();
    expect(code).toBe(0);
    expect(stderr).toMatch(/^note: Cloudinary’s rate limit: waiting until \d\d:\d\d:\d\d UTC\n$/);
    expect(Date.now()).toBeGreaterThanOrEqual(Math.floor(reset.getTime() / 1_000) * 1_000);
  });

  it('waits for a service that returns 429', async () => {
    const slow = await startService({ RATE_LIMIT_ADDRESS: '60' });
    try {
      const { id } = await post<{ id: string }>(slow, '/issuers', { name: 'Importing' });
      fill(66);
      const place = { ...overHttp(), PIXSEAL_SERVER: slow.url };
      const { code, stdout, stderr } = await pixsealImport(['--json', '--issuer', id], place);
      expect(code).toBe(0);
      expect(JSON.parse(stdout)).toStrictEqual({ ...none, registered: 66 });
      expect(stderr).toContain('{"note":"too_many_requests: waiting until');
    } finally {
      await slow.close();
    }
  });

  it.each([
    ['without an account', { CLOUDINARY_URL: '' }, 'CLOUDINARY_URL is required'],
    ['with another secret', { CLOUDINARY_URL: `cloudinary://123456789012345:wrong@${CLOUD}` }, '401'],
  ])('explains the error %s', async (_, variables, expected) => {
    fill(1);
    const { exited: ended } = spawnBuilt(
      'server/pixseal.js',
      { ...overHttp(), CLOUDINARY_UPLOAD_PREFIX: api.url, ...variables },
      ['import', '--issuer', issuerId],
    );
    const { code, stdout, stderr } = await ended;
    expect({ code, stdout }).toStrictEqual({ code: 1, stdout: '' });
    expect(stderr).toContain(expected);
    expect(stderr).not.toContain('wrong');
  });
});
