import { randomUUID } from 'node:crypto';
import { DataSource, type QueryRunner } from 'typeorm';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { readDatabaseSettings } from '../../src/platform/config/environment.js';
import { createDataSource } from '../../src/platform/database/data-source.js';
import { migrateUnderLock, requireMigrated } from '../../src/platform/database/migrate.js';
import { schemaOf } from '../support/schema.js';
import { createTenant, type Tenant } from '../support/seed.js';
import { startService, type Service } from '../support/service.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';
import { problem } from '../support/http.js';

const embedded = inject('database').kind === 'embedded';

const undo: (() => Promise<unknown>)[] = [];
afterAll(async () => {
  for (const step of undo.toReversed()) await step();
});

async function newDatabase(options?: { empty: boolean }): Promise<TestDatabase> {
  const database = await createTestDatabase(options);
  undo.push(() => database.drop());
  return database;
}

async function open(database: TestDatabase): Promise<DataSource> {
  const dataSource = await createDataSource(readDatabaseSettings(database.variables));
  await dataSource.initialize();
  undo.push(async () => dataSource.isInitialized && dataSource.destroy());
  return dataSource;
}

type Row = Readonly<Record<string, unknown>>;
const rowsOf = (source: DataSource | QueryRunner, text: string, values: unknown[] = []): Promise<Row[]> =>
  source.query(text, values) as Promise<Row[]>;

/** Reverts migrations until that of this name is reverted too. */
async function revertTo(dataSource: DataSource, name: string): Promise<void> {
  const find = (): Promise<Row[]> =>
    rowsOf(dataSource, 'SELECT FROM migrations WHERE starts_with(name, $1)', [name]);
  while ((await find()).length > 0) await dataSource.undoLastMigration({ transaction: 'all' });
}

describe('the migrations', () => {
  it('run up, down and up again, and leave nothing behind', async () => {
    const dataSource = await open(await newDatabase({ empty: true }));
    await expect(requireMigrated(dataSource)).rejects.toThrow('The database has pending migrations');
    const names = await migrateUnderLock(dataSource);
    expect(names).toHaveLength(dataSource.migrations.length);
    const before = await schemaOf(dataSource);
    expect(before.filter(({ kind }) => kind === 'trigger').length).toBeGreaterThanOrEqual(6);
    await expect(requireMigrated(dataSource)).resolves.toBeUndefined();
    await expect(migrateUnderLock(dataSource)).resolves.toStrictEqual([]);

    for (let left = names.length; left > 0; left--) {
      await dataSource.undoLastMigration({ transaction: 'all' });
      expect(await rowsOf(dataSource, 'SELECT name FROM migrations')).toHaveLength(left - 1);
    }
    expect(await schemaOf(dataSource)).toStrictEqual([]);

    await migrateUnderLock(dataSource);
    expect(await schemaOf(dataSource)).toStrictEqual(before);
  });

  it('share no overlay that existed before, and go back with rows that are shared', async () => {
    const dataSource = await open(await newDatabase());
    const undo = (): Promise<void> => dataSource.undoLastMigration({ transaction: 'all' });
    const applied = `SELECT FROM migrations WHERE name LIKE 'ShareOverlays%'`;
    while ((await rowsOf(dataSource, applied)).length > 0) await undo();
    const [issuer, id] = [randomUUID(), randomUUID()];
    await dataSource.query(`INSERT INTO issuers (id, name) VALUES ($1, 'One')`, [issuer]);
    await dataSource.query(`INSERT INTO overlays (id, issuer_id, public_id) VALUES ($1, $2, 'logo')`, [
      id,
      issuer,
    ]);
    await migrateUnderLock(dataSource);
    const shared = (): Promise<Row[]> => rowsOf(dataSource, 'SELECT public_id, shared FROM overlays');
    expect(await shared()).toStrictEqual([{ public_id: 'logo', shared: false }]);
    await dataSource.query('UPDATE overlays SET shared = true');
    while ((await rowsOf(dataSource, applied)).length > 0) await undo();
    await migrateUnderLock(dataSource);
    expect(await shared()).toStrictEqual([{ public_id: 'logo', shared: false }]);
  });

  it('retain ids that were deleted before, and do not change how rows are served', async () => {
    const dataSource = await open(await newDatabase());
    await revertTo(dataSource, 'RetainPublicIds');
    const [one, two] = [randomUUID(), randomUUID()];
    await dataSource.query(`INSERT INTO issuers (id, name) VALUES ($1, 'One'), ($2, 'Two')`, [one, two]);
    const insertImage = async (issuer: string, publicId: string, type = 'private'): Promise<string> => {
      const id = randomUUID();
      await dataSource.query(
        'INSERT INTO images (id, issuer_id, public_id, delivery_type, version) VALUES ($1, $2, $3, $4, 7)',
        [id, issuer, publicId, type],
      );
      return id;
    };
    const remove = (id: string): Promise<unknown> =>
      dataSource.query('UPDATE images SET deleted_at = clock_timestamp() WHERE id = $1', [id]);
    const insertOverlay = (publicId: string): Promise<unknown> =>
      dataSource.query(
        `INSERT INTO overlays (id, issuer_id, public_id, updated_at)
         VALUES (gen_random_uuid(), $1, $2, to_timestamp(1700000000.9))`,
        [one, publicId],
      );
    await remove(await insertImage(one, 'deleted'));
    await remove(await insertImage(one, 'registered again'));
    await insertImage(one, 'registered again');
    await remove(await insertImage(one, 'of another now'));
    await insertImage(two, 'of another now', 'upload');
    await remove(await insertImage(one, 'of two'));
    await remove(await insertImage(two, 'of two', 'upload'));
    await dataSource.query(`UPDATE images SET public_id = 'new name' WHERE id = $1`, [
      await insertImage(one, 'old name'),
    ]);
    await insertOverlay('overlay');
    await dataSource.query(`DELETE FROM overlays WHERE public_id = 'overlay'`);
    await remove(await insertImage(one, 'gone in the account'));
    await dataSource.query(
      `INSERT INTO cloudinary_assets (public_id, delivery_type, at, gone)
       VALUES ('gone in the account', 'private', now() + interval '1 minute', true)`,
    );
    const served = (): Promise<Row[]> =>
      rowsOf(
        dataSource,
        `SELECT id, issuer_id, public_id, version, format, delivery_type, access, not_before, deleted_at, updated_at
           FROM images ORDER BY id`,
      );
    const before = await served();

    await migrateUnderLock(dataSource);
    expect(await served()).toStrictEqual(before);
    expect(
      await rowsOf(
        dataSource,
        'SELECT public_id, delivery_type, issuer_id, version::int FROM retained_public_ids ORDER BY public_id',
      ),
    ).toStrictEqual([
      { public_id: 'deleted', delivery_type: 'private', issuer_id: one, version: 7 },
      { public_id: 'of two', delivery_type: 'upload', issuer_id: two, version: 7 },
      { public_id: 'old name', delivery_type: 'private', issuer_id: one, version: 7 },
      { public_id: 'overlay', delivery_type: 'private', issuer_id: one, version: 1_700_000_000 },
    ]);
    await revertTo(dataSource, 'RetainPublicIds');
    await insertImage(two, 'deleted');
    await migrateUnderLock(dataSource);
    await expect(insertImage(two, 'overlay')).rejects.toMatchObject({
      driverError: { constraint: 'public_id_owner' },
    });
  });

  it('add accounts without a change of any row, and can be reverted until an issuer has one', async () => {
    const dataSource = await open(await newDatabase());
    await revertTo(dataSource, 'CreateAccounts');
    const [one, two] = [randomUUID(), randomUUID()];
    await dataSource.query(`INSERT INTO issuers (id, name) VALUES ($1, 'One'), ($2, 'Two')`, [one, two]);
    const names = ['kept', 'deleted', 'with original'];
    for (const name of names) {
      await dataSource.query(
        'INSERT INTO images (id, issuer_id, public_id, version) VALUES (gen_random_uuid(), $1, $2, 7)',
        [one, name],
      );
    }
    await dataSource.query(`UPDATE images SET deleted_at = now() WHERE public_id = 'deleted'`);
    await dataSource.query(
      `INSERT INTO overlays (id, issuer_id, public_id) VALUES (gen_random_uuid(), $1, 'layer')`,
      [two],
    );
    await dataSource.query(
      `INSERT INTO originals (public_id, delivery_type, issuer_id, sha256, bytes, format, width, height, version)
       VALUES ('with original', 'authenticated', $1, repeat('a', 64), 1, 'png', 1, 1, 1)`,
      [one],
    );
    await dataSource.query(
      `INSERT INTO cloudinary_assets (public_id, delivery_type, at) VALUES ('kept', 'authenticated', now())`,
    );
    const tables = ['issuers', 'images', 'overlays', 'originals', 'retained_public_ids', 'cloudinary_assets'];
    const rows = async (): Promise<Row[][]> =>
      Promise.all(
        tables.map((table) =>
          rowsOf(dataSource, `SELECT to_jsonb(t) - 'account_id' AS row FROM ${table} AS t ORDER BY t::text`),
        ),
      );
    const before = await rows();

    await migrateUnderLock(dataSource);
    // Later migrations may add columns.
    expect(await rows()).toMatchObject(before);
    expect(await rowsOf(dataSource, 'SELECT DISTINCT account_id FROM issuers')).toStrictEqual([
      { account_id: null },
    ]);
    await revertTo(dataSource, 'CreateAccounts');
    expect(await rows()).toStrictEqual(before);
    await migrateUnderLock(dataSource);

    const account = randomUUID();
    await dataSource.query(`INSERT INTO accounts (id, name, cloud_name) VALUES ($1, 'A', 'cloud')`, [
      account,
    ]);
    const three = randomUUID();
    await dataSource.query(`INSERT INTO issuers (id, name, account_id) VALUES ($1, 'Three', $2)`, [
      three,
      account,
    ]);
    // The public id of an issuer of the environment's account.
    await dataSource.query(
      `INSERT INTO images (id, issuer_id, public_id, version) VALUES (gen_random_uuid(), $1, 'kept', 7)`,
      [three],
    );
    await expect(revertTo(dataSource, 'CreateAccounts')).rejects.toThrow('issuers have accounts');
    await dataSource.query('DELETE FROM images WHERE issuer_id = $1', [three]);
    await dataSource.query('DELETE FROM issuers WHERE id = $1', [three]);
    await revertTo(dataSource, 'CreateAccounts');
    expect(await rows()).toStrictEqual(before);
  });

  it('leave the Locations of a database from before accounts as they were', async () => {
    const database = await newDatabase();
    const service = await startService({}, database);
    const tenant = await createTenant(service, { publicId: 'shoes/front', overlayPublicId: 'mark' });
    const paths = [
      tenant.path(),
      tenant.steps({ overlay: tenant.overlayId, flags: 'tiled' }, { width: 300, crop: 'fit' }),
    ];
    const locations = (on: Service): Promise<(string | undefined)[]> =>
      Promise.all(paths.map(async (path) => (await on.get(path)).headers.location?.split('#')[1]));
    const before = await locations(service);
    expect(before.every((location) => location?.includes('/s--'))).toBe(true);
    await service.close();
    const dataSource = await open(database);
    await revertTo(dataSource, 'CreateAccounts');
    await migrateUnderLock(dataSource);
    await dataSource.destroy();
    const restored = await startService({}, database);
    try {
      expect(await locations(restored)).toStrictEqual(before);
    } finally {
      await restored.close();
    }
  });

  it('match the entities: TypeORM would change no column', async () => {
    const dataSource = await open(await newDatabase());
    const { upQueries } = await dataSource.driver.createSchemaBuilder().log();
    const columns = upQueries
      .map(({ query }) => query)
      .filter((query) => / (ADD|ALTER COLUMN|TYPE|DROP COLUMN) /.test(query));
    expect(
      columns.filter((query) => !/ADD CONSTRAINT|DROP CONSTRAINT|FOREIGN KEY/.test(query)),
    ).toStrictEqual([]);
  });
});

describe('the database itself', () => {
  let dataSource: DataSource;
  const ids = { issuer: randomUUID(), neighbour: randomUUID(), key: randomUUID(), image: randomUUID() };

  beforeAll(async () => {
    dataSource = await open(await newDatabase());
    await dataSource.query(`INSERT INTO issuers (id, name) VALUES ($1, 'One'), ($2, 'Two')`, [
      ids.issuer,
      ids.neighbour,
    ]);
    await insert('issuer_keys', { id: ids.key, issuer_id: ids.issuer, secret: Buffer.of(1) });
    await insert('images', { id: ids.image, issuer_id: ids.issuer, public_id: 'taken', version: 1 });
    await insert('overlays', { id: randomUUID(), issuer_id: ids.issuer, public_id: 'taken_too' });
  });

  function insert(table: string, row: Row): Promise<unknown> {
    const names = Object.keys(row);
    const places = names.map((_, index) => `$${index + 1}`);
    return dataSource.query(
      `INSERT INTO ${table} (${names.join(', ')}) VALUES (${places.join(', ')})`,
      Object.values(row),
    );
  }

  type WithId = Row & { readonly id: string };
  const issuer = (): WithId => ({ id: randomUUID(), name: 'x' });
  const key = (): WithId => ({ id: randomUUID(), issuer_id: ids.issuer, secret: Buffer.of(1) });
  const image = (): WithId => ({
    id: randomUUID(),
    issuer_id: ids.issuer,
    public_id: randomUUID(),
    version: 1,
  });
  const overlay = (): WithId => ({ id: randomUUID(), issuer_id: ids.issuer, public_id: randomUUID() });

  const NOT_NULL = '23502';
  const FOREIGN_KEY = '23503';
  const UNIQUE = '23505';
  const CHECK = '23514';
  const TOO_LONG = '22001';
  const NO_UUID = '22P02';

  it.each<[table: string, row: () => Row, change: Row, code: string]>([
    ['issuers', issuer, { name: '' }, CHECK],
    ['issuers', issuer, { name: '   ' }, CHECK],
    ['issuers', issuer, { name: null }, NOT_NULL],
    ['issuers', issuer, { name: 'x'.repeat(201) }, TOO_LONG],
    ['issuers', issuer, { delivery_format: 'JPG' }, CHECK],
    ['issuers', issuer, { delivery_format: 'jpg/x' }, CHECK],
    ['issuers', issuer, { disabled: null }, NOT_NULL],
    ['issuers', issuer, { id: ids.issuer }, UNIQUE],
    ['issuers', issuer, { id: 'x' }, NO_UUID],
    ['issuer_keys', key, { id: ids.key }, UNIQUE],
    ['issuer_keys', key, { issuer_id: randomUUID() }, FOREIGN_KEY],
    ['issuer_keys', key, { algorithm: 'none' }, CHECK],
    ['issuer_keys', key, { algorithm: 'RS256' }, CHECK],
    ['issuer_keys', key, { secret: null }, CHECK],
    ['issuer_keys', key, { public_key: 'x' }, CHECK],
    ['issuer_keys', key, { secret: null, public_key: 'x' }, CHECK],
    ['issuer_keys', key, { algorithm: 'EdDSA' }, CHECK],
    ['issuer_keys', key, { algorithm: 'EdDSA', secret: null }, CHECK],
    ['issuer_keys', key, { algorithm: 'none', secret: null, public_key: 'x' }, CHECK],
    ['issuer_keys', key, { not_before: '2030-01-01', not_after: '2029-01-01' }, CHECK],
    ['issuer_keys', key, { not_before: '2030-01-01', not_after: '2030-01-01' }, CHECK],
    ['images', image, { id: ids.image }, UNIQUE],
    ['images', image, { issuer_id: randomUUID() }, FOREIGN_KEY],
    ['images', image, { public_id: '' }, CHECK],
    ['images', image, { public_id: null }, NOT_NULL],
    ['images', image, { public_id: 'x'.repeat(256) }, TOO_LONG],
    ['images', image, { version: 0 }, CHECK],
    ['images', image, { version: '9007199254740992' }, CHECK],
    ['images', image, { version: null }, NOT_NULL],
    ['images', image, { delivery_type: 'fetch' }, CHECK],
    ['images', image, { access: 'all' }, CHECK],
    ['images', image, { public_id: 'taken' }, UNIQUE],
    ['images', image, { public_id: 'taken', issuer_id: ids.neighbour, delivery_type: 'upload' }, UNIQUE],
    ['images', image, { public_id: 'taken_too', issuer_id: ids.neighbour }, UNIQUE],
    ['overlays', overlay, { issuer_id: randomUUID() }, FOREIGN_KEY],
    ['overlays', overlay, { public_id: '' }, CHECK],
    ['overlays', overlay, { public_id: 'x'.repeat(256) }, TOO_LONG],
    ['overlays', overlay, { delivery_type: 'video' }, CHECK],
    ['overlays', overlay, { public_id: 'taken_too' }, UNIQUE],
    ['overlays', overlay, { public_id: 'taken', issuer_id: ids.neighbour }, UNIQUE],
    [
      'overlays',
      overlay,
      { public_id: 'taken_too', issuer_id: ids.neighbour, delivery_type: 'upload' },
      UNIQUE,
    ],
  ])('refuses into %s an invalid row: %#', async (table, row, change, code) => {
    // The row is valid without the change, so the change is refused.
    await expect(insert(table, row())).resolves.toBeDefined();
    await expect(insert(table, { ...row(), ...change })).rejects.toMatchObject({ driverError: { code } });
  });

  it('keeps an issuer that has rows, and deletes its keys with it', async () => {
    // Postgres 18, the embedded version, has a separate code for RESTRICT.
    await expect(dataSource.query('DELETE FROM issuers WHERE id = $1', [ids.issuer])).rejects.toMatchObject({
      driverError: { code: expect.stringMatching(/^23(503|001)$/) as string },
    });
    const deleted = issuer();
    await insert('issuers', deleted);
    await insert('issuer_keys', { ...key(), issuer_id: deleted.id });
    await dataSource.query('DELETE FROM issuers WHERE id = $1', [deleted.id]);
    expect(
      await rowsOf(dataSource, 'SELECT FROM issuer_keys WHERE issuer_id = $1', [deleted.id]),
    ).toHaveLength(0);
  });

  it.each<[table: string, change: string, row: () => WithId]>([
    ['images', 'UPDATE images SET deleted_at = now() WHERE id = $1', image],
    ['images', 'DELETE FROM images WHERE id = $1', image],
    ['images', `UPDATE images SET public_id = public_id || '_2' WHERE id = $1`, image],
    ['images', `UPDATE images SET delivery_type = 'upload' WHERE id = $1`, image],
    ['overlays', 'DELETE FROM overlays WHERE id = $1', overlay],
    ['overlays', `UPDATE overlays SET public_id = public_id || '_2' WHERE id = $1`, overlay],
  ])('keeps the public id of %s for its issuer, however it is given up: %s', async (table, change, row) => {
    const first = row();
    await insert(table, first);
    await dataSource.query(change, [first.id]);
    const { public_id: publicId } = first;
    const owner = `SELECT issuer_id FROM retained_public_ids WHERE public_id = $1`;
    expect(await rowsOf(dataSource, owner, [publicId])).toStrictEqual([{ issuer_id: ids.issuer }]);
    for (const [into, another] of [
      ['images', image()],
      ['overlays', overlay()],
    ] as const) {
      for (const type of ['upload', 'private', 'authenticated']) {
        await expect(
          insert(into, { ...another, public_id: publicId, issuer_id: ids.neighbour, delivery_type: type }),
        ).rejects.toMatchObject({ driverError: { code: UNIQUE, constraint: 'public_id_owner' } });
      }
    }
    await insert(table, {
      ...row(),
      public_id: publicId,
      delivery_type: table === 'images' ? 'authenticated' : 'private',
    });
    expect(await rowsOf(dataSource, owner, [publicId])).toStrictEqual([]);
  });

  it('retains a public id once its last row is deleted', async () => {
    const retained = (publicId: unknown): Promise<Row[]> =>
      rowsOf(dataSource, 'SELECT issuer_id FROM retained_public_ids WHERE public_id = $1', [publicId]);
    const [both, mark]: [WithId, WithId] = [{ ...image(), delivery_type: 'upload' }, overlay()];
    await insert('images', both);
    await insert('overlays', { ...mark, public_id: both['public_id'], delivery_type: 'upload' });
    await dataSource.query('UPDATE images SET deleted_at = now() WHERE id = $1', [both.id]);
    expect(await retained(both['public_id'])).toStrictEqual([]);
    await dataSource.query('DELETE FROM overlays WHERE id = $1', [mark.id]);
    expect(await retained(both['public_id'])).toHaveLength(1);
  });

  it('does not restore a deleted image over another’s', async () => {
    const first: WithId = { ...image(), public_id: 'passed_on' };
    await insert('images', first);
    await dataSource.query('UPDATE images SET deleted_at = now() WHERE id = $1', [first.id]);
    await dataSource.query(`DELETE FROM retained_public_ids WHERE public_id = 'passed_on'`);
    await insert('images', { ...image(), public_id: 'passed_on', issuer_id: ids.neighbour });
    await expect(
      dataSource.query('UPDATE images SET deleted_at = NULL WHERE id = $1', [first.id]),
    ).rejects.toMatchObject({ driverError: { code: UNIQUE } });
  });

  it('does not move a row to another issuer while rows with its public id exist', async () => {
    const [one, two]: [WithId, WithId] = [
      { ...image(), public_id: 'pair', delivery_type: 'upload' },
      { ...image(), public_id: 'pair', delivery_type: 'private' },
    ];
    await insert('images', one);
    await insert('images', two);
    await expect(
      dataSource.query('UPDATE images SET issuer_id = $1 WHERE id = $2', [ids.neighbour, one.id]),
    ).rejects.toMatchObject({ driverError: { code: UNIQUE, constraint: 'public_id_owner' } });
  });

  it.runIf(!embedded)('gives a public id to one of two issuers in concurrent transactions', async () => {
    for (const [table, other] of [
      ['images', 'overlays'],
      ['overlays', 'images'],
      ['images', 'images'],
    ] as const) {
      const public_id = `raced_${table}_${other}`;
      const [first, second] = [dataSource.createQueryRunner(), dataSource.createQueryRunner()];
      const insertBy = (
        runner: QueryRunner,
        into: string,
        issuerId: string,
        type: string,
      ): Promise<unknown> =>
        into === 'images'
          ? runner.query(
              'INSERT INTO images (id, issuer_id, public_id, version, delivery_type) VALUES ($1, $2, $3, 1, $4)',
              [randomUUID(), issuerId, public_id, type],
            )
          : runner.query(
              'INSERT INTO overlays (id, issuer_id, public_id, delivery_type) VALUES ($1, $2, $3, $4)',
              [randomUUID(), issuerId, public_id, type],
            );
      await Promise.all([first.startTransaction(), second.startTransaction()]);
      await insertBy(first, table, ids.issuer, 'upload');
      const waiting = insertBy(second, other, ids.neighbour, 'private').then(
        () => 'inserted',
        (error: unknown) => (error as { driverError: { constraint: string } }).driverError.constraint,
      );
      await expect
        .poll(() => rowsOf(dataSource, `SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted`))
        .toHaveLength(1);
      await first.commitTransaction();
      expect(await waiting).toBe('public_id_owner');
      await second.rollbackTransaction();
      await Promise.all([first.release(), second.release()]);
    }
  });
});

describe('concurrent transactions', () => {
  it('are never mixed: a rollback removes its rows, a commit keeps them', async () => {
    const dataSource = await open(await newDatabase());
    const results = await Promise.allSettled(
      Array.from({ length: 60 }, (_, index) =>
        dataSource.transaction(async (manager) => {
          for (const part of [1, 2, 3]) {
            await manager.query('INSERT INTO issuers (id, name) VALUES ($1, $2)', [
              randomUUID(),
              `${index % 2 === 0 ? 'kept' : 'undone'} ${index} ${part}`,
            ]);
            // Other work can run between two statements.
            await new Promise((resolve) => setTimeout(resolve, index % 5));
          }
          if (index % 2 === 1) throw new Error('undo');
        }),
      ),
    );
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(30);
    const [counted] = await rowsOf(
      dataSource,
      `SELECT count(*) FILTER (WHERE name LIKE 'kept%')::int AS kept,
              count(*) FILTER (WHERE name LIKE 'undone%')::int AS undone FROM issuers`,
    );
    expect(counted).toStrictEqual({ kept: 90, undone: 0 });
  });

  it('do not see each other’s rows before the commit', async () => {
    const dataSource = await open(await newDatabase());
    const id = randomUUID();
    let seen: Row[] | undefined;
    let looked: Promise<void> | undefined;
    await dataSource
      .transaction(async (manager) => {
        await manager.query(`INSERT INTO issuers (id, name) VALUES ($1, 'x')`, [id]);
        looked = rowsOf(dataSource, 'SELECT FROM issuers WHERE id = $1', [id]).then((rows) => {
          seen = rows;
        });
        await new Promise((resolve) => setTimeout(resolve, 50));
        // Embedded, the query waits for the single session; on a server it has already returned without the row.
        expect(seen?.length ?? 0).toBe(0);
        throw new Error('undo');
      })
      .catch((error: unknown) => {
        expect(error).toMatchObject({ message: 'undo' });
      });
    await looked;
    expect(seen).toStrictEqual([]);
  });

  it('of the admin API that violate a constraint write nothing', async () => {
    const service = await startService();
    undo.push(() => service.close());
    const id = randomUUID();
    const responses = await Promise.all(
      Array.from({ length: 10 }, () => service.admin('POST', '/issuers', { id, name: 'One of ten' })),
    );
    expect(responses.map(({ status }) => status).toSorted()).toStrictEqual([
      201,
      ...Array<number>(9).fill(409),
    ]);
    const dataSource = service.app.get(DataSource);
    expect(await rowsOf(dataSource, 'SELECT FROM issuer_keys WHERE issuer_id = $1', [id])).toHaveLength(1);
  });
});

describe('a write that the database aborts for another', () => {
  it.each(['40001', '40P01'])('returns 503 so that the client retries, for SQLSTATE %s', async (code) => {
    const database = await newDatabase();
    const service = await startService({}, database);
    undo.push(() => service.close());
    const tenant = await createTenant(service, { publicId: 'given_up', overlayPublicId: 'given_up_layer' });
    await service.app.get(DataSource).query(`
      CREATE FUNCTION give_up() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        RAISE EXCEPTION 'given up' USING ERRCODE = '${code}';
      END $$;
      CREATE TRIGGER give_up BEFORE UPDATE ON images FOR EACH ROW EXECUTE FUNCTION give_up()`);
    const response = await service.admin('PATCH', `/images/${tenant.imageId}`, { version: 7 });
    expect([response.status, response.headers['retry-after'], response.json()]).toStrictEqual([
      503,
      '1',
      problem(
        503,
        'database_unavailable',
        'The write conflicted with another one and was rolled back. Try again.',
      ),
    ]);
  });

  it.skipIf(embedded)('is one of two that deadlock', async () => {
    const database = await newDatabase();
    const service = await startService({}, database);
    undo.push(() => service.close());
    const { imageId } = await createTenant(service, { publicId: 'waits', overlayPublicId: 'waits_layer' });
    const other = (await open(database)).createQueryRunner();
    await other.startTransaction();
    // The service's session is the one that detects the deadlock.
    await other.query(`SET LOCAL deadlock_timeout = '60s'`);
    await other.query(`SELECT pg_advisory_xact_lock(hashtextextended('waits_for_it', 0))`);
    const change = service.admin('PATCH', `/images/${imageId}`, { public_id: 'waits_for_it' });
    const waiting = `SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
                        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`;
    while ((await rowsOf(other, waiting)).length === 0)
      await new Promise((resolve) => setTimeout(resolve, 20));
    await other.query('SELECT FROM images WHERE id = $1 FOR UPDATE', [imageId]);
    const response = await change;
    expect([response.status, response.json()]).toMatchObject([503, { code: 'database_unavailable' }]);
    await other.rollbackTransaction();
    await other.release();
    const again = await service.admin('PATCH', `/images/${imageId}`, { public_id: 'waits_for_it' });
    expect(again.status).toBe(200);
  });
});

describe('the change feed', () => {
  let service: Service;
  let tenant: Tenant;
  let dataSource: DataSource;

  beforeAll(async () => {
    service = await startService();
    undo.push(() => service.close());
    tenant = await createTenant(service, { publicId: 'fed', overlayPublicId: 'fed_layer' });
    dataSource = service.app.get(DataSource);
  });

  const path = (): string => tenant.steps({ overlay: tenant.overlayId });
  /** The response as raw SQL changes it. The Locations do not match the admin API's rows: they are not checked. */
  async function shown(): Promise<string> {
    const { status, headers } = await service.get(path());
    return `${status} ${headers.location?.replace(/^.*--\//, '') ?? ''}`;
  }
  const BEFORE =
    '302 c_fit,h_1920,w_1920/fl_attachment/dpr_auto,q_auto,f_auto/l_private:fed_layer/v123123/fed.jpg';

  it.each<[what: string, change: string, back: string, after: string]>([
    [
      'an image',
      'UPDATE images SET version = 9',
      'UPDATE images SET version = 123123',
      BEFORE.replace('v123123', 'v9'),
    ],
    [
      'an overlay',
      `UPDATE overlays SET public_id = 'other_layer'`,
      `UPDATE overlays SET public_id = 'fed_layer'`,
      BEFORE.replace('fed_layer', 'other_layer'),
    ],
    ['an issuer', 'UPDATE issuers SET disabled = true', 'UPDATE issuers SET disabled = false', '401 '],
    [
      'a key',
      `UPDATE issuer_keys SET not_after = '2020-01-01'`,
      'UPDATE issuer_keys SET not_after = NULL',
      '401 ',
    ],
    ['a deletion', 'UPDATE images SET deleted_at = now()', 'UPDATE images SET deleted_at = NULL', '410 '],
  ])('notifies the service of %s that was changed by hand', async (_, change, back, after) => {
    expect(await shown()).toBe(BEFORE);
    await dataSource.query(change);
    await expect.poll(shown, { timeout: 10_000, interval: 50 }).toBe(after);
    await dataSource.query(back);
    await expect.poll(shown, { timeout: 10_000, interval: 50 }).toBe(BEFORE);
  });

  it.each(['', ", ''", ", 'no JSON'", ", 'null'", ', \'{"table":"images","id":5}\''])(
    'ignores any other notification%s',
    async (payload) => {
      await dataSource.query(`NOTIFY pixseal_changes${payload}`);
      expect(await shown()).toBe(BEFORE);
      await dataSource.query('UPDATE issuers SET disabled = true');
      await expect.poll(shown, { timeout: 10_000, interval: 50 }).toBe('401 ');
      await dataSource.query('UPDATE issuers SET disabled = false');
      await expect.poll(shown, { timeout: 10_000, interval: 50 }).toBe(BEFORE);
    },
  );

  it('notifies the service of a row that was missing before', async () => {
    const id = randomUUID();
    const request = async (): Promise<number> =>
      (await service.get(`/images/${id}?token=${tenant.sign()}`)).status;
    expect(await request()).toBe(404);
    await dataSource.query(
      `INSERT INTO images (id, issuer_id, public_id, version) VALUES ($1, $2, 'by_hand', 1)`,
      [id, tenant.issuerId],
    );
    await expect.poll(request, { timeout: 10_000, interval: 50 }).toBe(302);
  });

  it.runIf(!embedded)('is read again after a migration changes the type of a column', async () => {
    const database = await newDatabase();
    const [migrating, source] = [await startService({}, database), await open(database)];
    undo.push(() => migrating.close());
    const owner = await createTenant(migrating, { publicId: 'migrated', overlayPublicId: 'migrated_layer' });
    const status = async (): Promise<number> => (await migrating.get(owner.path())).status;
    expect(await status()).toBe(302);
    await source.query('ALTER TABLE issuers ALTER COLUMN delivery_format TYPE text');
    for (let round = 0; round < 20; round += 1) {
      await source.query('UPDATE issuers SET updated_at = now()');
      await source.query('UPDATE images SET version = version + 1');
      expect(await status()).toBe(302);
    }
  });

  it.runIf(!embedded)('notifies every replica', async () => {
    const database = await newDatabase();
    const replicas = await Promise.all([startService({}, database), startService({}, database)]);
    undo.push(...replicas.map((replica) => () => replica.close()));
    const [one, two] = replicas;
    const owner = await createTenant(one, { publicId: 'shared', overlayPublicId: 'shared_layer' });
    const status = async (replica: Service): Promise<number> => (await replica.get(owner.path())).status;
    expect([await status(one), await status(two)]).toStrictEqual([302, 302]);
    await one.admin('DELETE', `/issuers/${owner.issuerId}/keys/${owner.keyId}`);
    expect(await status(one)).toBe(401);
    await expect.poll(() => status(two), { timeout: 10_000, interval: 50 }).toBe(401);
  });
});
