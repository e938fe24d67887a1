import { randomUUID } from 'node:crypto';
import { DataSource } from 'typeorm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readDatabaseSettings } from '../../src/platform/config/environment.js';
import { createDataSource } from '../../src/platform/database/data-source.js';
import { migrateUnderLock } from '../../src/platform/database/migrate.js';
import { createAdminKey } from '../support/admin-keys.js';
import type { HttpResponse } from '../support/http.js';
import { uploadPictures } from '../support/pictures.js';
import { createTenant, post, type Tenant } from '../support/seed.js';
import { startService, type Service } from '../support/service.js';
import { createTestDatabase } from '../support/test-database.js';

type Row = Record<string, unknown>;

interface Entry {
  readonly id: string;
  readonly at: string;
  readonly actor: string;
  readonly action: string;
  readonly row_id: string | null;
  readonly issuer_id: string | null;
  readonly before: Row | null;
  readonly after: Row | null;
  readonly request_id: string | null;
}

interface EntryPage {
  readonly items: readonly Entry[];
  readonly next_cursor: string | null;
}

const ENVIRONMENT_KEY = /^environment:[0-9a-f]{8}$/;

let service: Service;
let tenant: Tenant;
const sql = <T = Row>(text: string, values: unknown[] = []): Promise<T[]> =>
  service.app.get(DataSource).query<T[]>(text, values);

beforeAll(async () => {
  service = await startService();
  tenant = await createTenant(service, { publicId: 'audited_image', overlayPublicId: 'audited_layer' });
});
afterAll(() => service.close());

/** The single text column of a query. */
const textOf = async (query: string, values: unknown[] = []): Promise<string> =>
  (await sql<{ text: string }>(query, values))[0]?.text ?? '';

let names = 0;
const freshName = (): string => `audited_${++names}`;

async function list(query = '', headers: Record<string, string> = {}): Promise<EntryPage> {
  const response = await service.admin('GET', `/audit?${query}`, undefined, headers);
  expect(response.status).toBe(200);
  return response.json() as EntryPage;
}

const last = async (): Promise<Entry | undefined> => (await list('limit=1')).items[0];

/** The entries that a write of the admin API adds to the log, oldest first. */
async function entriesOf(
  write: () => Promise<HttpResponse>,
): Promise<{ response: HttpResponse; entries: Entry[] }> {
  const before = BigInt((await last())?.id ?? 0);
  const response = await write();
  expect(response.status).toBeLessThan(300);
  const { items } = await list('limit=100');
  const entries = items.filter(({ id }) => BigInt(id) > before).toReversed();
  for (const { actor, request_id: requestId, at } of entries) {
    expect(actor).toMatch(ENVIRONMENT_KEY);
    expect(requestId).toBe(response.headers['x-request-id']);
    expect(Math.abs(Date.now() - Date.parse(at))).toBeLessThan(60_000);
  }
  return { response, entries };
}

const shape = ({ action, row_id, issuer_id, before, after }: Entry): unknown => ({
  action,
  row_id,
  issuer_id,
  before: before === null ? null : 'a row',
  after: after === null ? null : 'a row',
});

const entry = (action: string, row: string, issuer: string | null): object => ({
  action,
  row_id: row,
  issuer_id: issuer,
  before: action.endsWith('.create') ? null : 'a row',
  after: action.endsWith('.delete') ? null : 'a row',
});

describe('every write is recorded with its actor, operation, old row and new row', () => {
  it('of an issuer and its keys', async () => {
    const created = await entriesOf(() => service.admin('POST', '/issuers', { name: 'Audited' }));
    const { id, key } = created.response.json() as { id: string; key: { id: string } };
    expect(created.entries.map(shape)).toStrictEqual([
      entry('issuer.create', id, id),
      entry('issuer_key.create', key.id, id),
    ]);
    expect(created.entries[0]?.after).toMatchObject({ id, name: 'Audited', disabled: false });

    const changed = await entriesOf(() =>
      service.admin('PATCH', `/issuers/${id}`, { name: 'Renamed', disabled: true }),
    );
    expect(changed.entries.map(shape)).toStrictEqual([entry('issuer.update', id, id)]);
    expect(changed.entries[0]).toMatchObject({
      before: { name: 'Audited', disabled: false },
      after: { name: 'Renamed', disabled: true },
    });

    const added = await entriesOf(() => service.admin('POST', `/issuers/${id}/keys`, {}));
    const { id: keyId } = added.response.json() as { id: string };
    expect(added.entries.map(shape)).toStrictEqual([entry('issuer_key.create', keyId, id)]);
    const path = `/issuers/${id}/keys/${keyId}`;
    const ended = await entriesOf(() => service.admin('PATCH', path, { not_after: '2199-01-01T00:00:00Z' }));
    expect(ended.entries.map(shape)).toStrictEqual([entry('issuer_key.update', keyId, id)]);
    expect(ended.entries[0]?.before).toMatchObject({ not_after: null });
    expect(ended.entries[0]?.after).toMatchObject({
      not_after: expect.stringContaining('2199-01-01') as string,
    });
    const revoked = await entriesOf(() => service.admin('DELETE', path));
    expect(revoked.entries.map(shape)).toStrictEqual([entry('issuer_key.delete', keyId, id)]);

    const bound = await createAdminKey(service, { issuer_id: id });
    const deleted = await entriesOf(() => service.admin('DELETE', `/issuers/${id}`));
    expect(deleted.entries.map(shape)).toStrictEqual(
      expect.arrayContaining([
        entry('issuer.delete', id, id),
        entry('issuer_key.delete', key.id, id),
        entry('admin_key.delete', bound.id, id),
      ]),
    );
    expect(deleted.entries).toHaveLength(3);
  });

  it.each(['image', 'overlay'])('of an %s', async (kind) => {
    const path = `/${kind}s`;
    const [name, other] = [freshName(), freshName()];
    const version = kind === 'image' ? { version: 1 } : {};
    const issuer = tenant.issuerId;
    const created = await entriesOf(() =>
      service.admin('POST', path, { issuer_id: issuer, public_id: name, ...version }),
    );
    const { id } = created.response.json() as { id: string };
    expect(created.entries.map(shape)).toStrictEqual([entry(`${kind}.create`, id, issuer)]);
    const changed = await entriesOf(() => service.admin('PATCH', `${path}/${id}`, { public_id: other }));
    expect(changed.entries.map(shape)).toStrictEqual([entry(`${kind}.update`, id, issuer)]);
    expect(changed.entries[0]).toMatchObject({ before: { public_id: name }, after: { public_id: other } });
    const deleted = await entriesOf(() => service.admin('DELETE', `${path}/${id}`));
    // A deleted image remains as a row, which is then the new row.
    expect(deleted.entries.map(shape)).toStrictEqual([
      { ...entry(`${kind}.delete`, id, issuer), after: kind === 'image' ? 'a row' : null },
    ]);
    expect(deleted.entries[0]?.before).toMatchObject({ public_id: other });
  });

  it('of an admin key', async () => {
    const created = await entriesOf(() =>
      service.admin('POST', '/admin-keys', { name: 'Audited', scopes: ['read'] }),
    );
    const { id, prefix } = created.response.json() as { id: string; prefix: string };
    expect(created.entries.map(shape)).toStrictEqual([entry('admin_key.create', id, null)]);
    expect(created.entries[0]?.after).toMatchObject({ id, prefix, name: 'Audited', scopes: ['read'] });
    const revoked = await entriesOf(() => service.admin('DELETE', `/admin-keys/${id}`));
    expect(revoked.entries.map(shape)).toStrictEqual([entry('admin_key.delete', id, null)]);
  });

  it('of an original', async () => {
    const name = freshName();
    const { imageId } = await uploadPictures(service, tenant.issuerId, { image: { public_id: name } });
    expect((await list('limit=2')).items.map(shape)).toStrictEqual([
      entry('original.create', `authenticated/${name}`, tenant.issuerId),
      entry('image.create', imageId, tenant.issuerId),
    ]);
    const deleted = await entriesOf(() => service.admin('DELETE', `/images/${imageId}`));
    expect(deleted.entries.map(({ action }) => action).sort()).toStrictEqual([
      'image.delete',
      'original.delete',
    ]);
  });

  it('with the key that wrote, for concurrent writes', async () => {
    const keys = await Promise.all(Array.from({ length: 4 }, () => createAdminKey(service)));
    const written = await Promise.all(
      Array.from({ length: 40 }, async (_, index) => {
        const { id, headers } = keys[index % 4] ?? { id: '', headers: {} };
        const requestId = randomUUID();
        const body = { issuer_id: tenant.issuerId, public_id: freshName() };
        const response = await service.admin('POST', '/overlays', body, {
          ...headers,
          'x-request-id': requestId,
        });
        return {
          row_id: (response.json() as { id: string }).id,
          actor: `admin_key:${id}`,
          request_id: requestId,
        };
      }),
    );
    const { items } = await list(`limit=100&action=overlay.create&issuer_id=${tenant.issuerId}`);
    for (const each of written) expect(items).toContainEqual(expect.objectContaining(each));
  });

  it('by hand as well', async () => {
    const id = randomUUID();
    await sql(`INSERT INTO issuers (id, name) VALUES ($1, 'By hand')`, [id]);
    await sql(`UPDATE issuers SET name = 'By hand again' WHERE id = $1`, [id]);
    await sql(`DELETE FROM issuers WHERE id = $1`, [id]);
    const { items } = await list(`row_id=${id}`);
    expect(items.map(({ action }) => action)).toStrictEqual([
      'issuer.delete',
      'issuer.update',
      'issuer.create',
    ]);
    for (const { actor, request_id: requestId } of items) {
      expect(actor).toMatch(/^database:\w+$/);
      expect(requestId).toBeNull();
    }
    expect(items[1]).toMatchObject({ before: { name: 'By hand' }, after: { name: 'By hand again' } });
  });

  it('even if a table is truncated', async () => {
    const { id } = await post<{ id: string }>(service, '/overlays', {
      issuer_id: tenant.issuerId,
      public_id: freshName(),
    });
    await service.app.get(DataSource).transaction(async (manager) => {
      await manager.query('TRUNCATE overlays');
      const [row] = await manager.query<Row[]>('SELECT * FROM audit_log ORDER BY id DESC LIMIT 1');
      expect(row).toMatchObject({ action: 'overlay.truncate', row_id: null, before: null, after: null });
      await manager.query('ROLLBACK');
      await manager.query('BEGIN');
    });
    expect((await service.admin('GET', `/overlays/${id}`)).status).toBe(200);
  });

  it('in every table except those without decisions of an operator', async () => {
    const rows = await sql<{ name: string }>(
      `SELECT c.relname AS name FROM pg_class AS c
        WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace
          AND NOT EXISTS (SELECT FROM pg_trigger AS t JOIN pg_proc AS p ON p.oid = t.tgfoid
                           WHERE t.tgrelid = c.oid AND p.proname = 'record_write')
        ORDER BY 1`,
    );
    expect(rows.map(({ name }) => name)).toStrictEqual(UNRECORDED);
  });
});

/**
 * The log itself, Cloudinary's last notification for each asset (its effects are recorded), responses that are stored for a
 * day, usage counts, pictures and uses of tokens that redirects count, and the list of migrations.
 */
const UNRECORDED = [
  ...['audit_log', 'cloudinary_assets', 'idempotency_keys', 'issuer_key_uses', 'issuer_usage', 'migrations'],
  ...['picture_days', 'pictures', 'token_uses'],
];

describe('the log', () => {
  it('contains no secret, encrypted or not, and no digest', async () => {
    const secret = `canary-${randomUUID()}-canary`;
    const { id } = await post<{ id: string }>(service, `/issuers/${tenant.issuerId}/keys`, { secret });
    await service.admin('PATCH', `/issuers/${tenant.issuerId}/keys/${id}`, { not_after: null });
    const admin = await createAdminKey(service);
    await service.admin('DELETE', `/admin-keys/${admin.id}`);
    const other = await createAdminKey(service);
    const encrypted = await textOf(`SELECT encode(secret, 'hex') AS text FROM issuer_keys WHERE id = $1`, [
      id,
    ]);
    const digest = await textOf(`SELECT encode(digest, 'hex') AS text FROM admin_keys WHERE id = $1`, [
      other.id,
    ]);
    expect(encrypted.length).toBeGreaterThan(80);
    expect(digest).toHaveLength(64);
    const log = await textOf(`SELECT string_agg(audit_log::text, E'\\n') AS text FROM audit_log`);
    expect(log).toContain(id);
    for (const hidden of [
      secret,
      encrypted.slice(10),
      Buffer.from(encrypted, 'hex').toString('base64').slice(10, -4),
      digest,
      admin.key,
      other.key,
      other.key.slice(13),
      tenant.secret,
    ]) {
      expect(log).not.toContain(hidden);
    }
    await service.admin('DELETE', `/issuers/${tenant.issuerId}/keys/${id}`);
  });

  it('records that a secret was replaced, and by which key', async () => {
    const { id } = await post<{ id: string }>(service, `/issuers/${tenant.issuerId}/keys`, {});
    await sql(`UPDATE issuer_keys SET secret = '\\x00' WHERE id = $1`, [id]);
    const { items } = await list(`row_id=${id}&limit=1`);
    expect(items[0]).toMatchObject({ action: 'issuer_key.update', after: { secret: 'changed' } });
    expect(items[0]?.before).not.toHaveProperty('secret');
    await service.admin('DELETE', `/issuers/${tenant.issuerId}/keys/${id}`);
  });

  it.each([
    `UPDATE audit_log SET actor = 'nobody'`,
    `UPDATE audit_log SET actor = 'nobody' WHERE false`,
    'DELETE FROM audit_log',
    'TRUNCATE audit_log',
    'TRUNCATE audit_log CASCADE',
  ])('refuses %s', async (statement) => {
    const count = async (): Promise<Row[]> => sql('SELECT count(*), max(id), min(actor) FROM audit_log');
    const before = await count();
    await expect(sql(statement)).rejects.toThrow('audit_log is append-only');
    await expect(
      service.app.get(DataSource).transaction(async (manager) => {
        await manager.query('SET LOCAL session_replication_role = replica');
        await manager.query(statement);
      }),
    ).rejects.toThrow('audit_log is append-only');
    expect(await count()).toStrictEqual(before);
  });

  it('has no entry for a write that was rolled back or refused', async () => {
    const id = randomUUID();
    const before = await last();
    await expect(
      service.app.get(DataSource).transaction(async (manager) => {
        await manager.query(`INSERT INTO issuers (id, name) VALUES ($1, 'Taken back')`, [id]);
        const [row] = await manager.query<Row[]>(
          'SELECT count(*)::int AS n FROM audit_log WHERE row_id = $1',
          [id],
        );
        expect(row).toStrictEqual({ n: 1 });
        throw new Error('back');
      }),
    ).rejects.toThrow('back');
    const refused = await service.admin('POST', '/images', {
      issuer_id: tenant.issuerId,
      public_id: 'audited_image',
      version: 2,
    });
    expect(refused.status).toBe(409);
    expect((await service.admin('GET', `/issuers/${id}`)).status).toBe(404);
    expect(await last()).toStrictEqual(before);
  });

  it('rolls back a write whose entry cannot be written', async () => {
    const id = randomUUID();
    await sql(`ALTER TABLE audit_log ADD CONSTRAINT full_up CHECK (row_id <> '${id}') NOT VALID`);
    try {
      const response = await service.admin('POST', '/issuers', { id, name: 'Never' });
      expect(response.status).toBe(500);
      expect((await service.admin('GET', `/issuers/${id}`)).status).toBe(404);
    } finally {
      await sql('ALTER TABLE audit_log DROP CONSTRAINT full_up');
    }
  });

  it('is listed newest first, in pages that new entries do not shift', async () => {
    const { id } = await post<{ id: string }>(service, '/issuers', { name: 'Of many writes' });
    for (let index = 0; index < 11; index += 1) {
      await service.admin('PATCH', `/issuers/${id}`, { name: `Name ${index}` });
    }
    const seen: Entry[] = [];
    let cursor: string | null = '';
    while (cursor !== null) {
      const page: EntryPage = await list(
        `issuer_id=${id}&limit=5${cursor === '' ? '' : `&cursor=${cursor}`}`,
      );
      seen.push(...page.items);
      cursor = page.next_cursor;
      await service.admin('PATCH', `/issuers/${id}`, { name: 'Meanwhile' });
    }
    expect(seen.map(({ action }) => action)).toStrictEqual([
      ...Array.from({ length: 11 }, () => 'issuer.update'),
      'issuer_key.create',
      'issuer.create',
    ]);
    expect(seen.slice(0, 11).map(({ after }) => after?.['name'])).toStrictEqual(
      Array.from({ length: 11 }, (_, index) => `Name ${10 - index}`),
    );
    expect((await list(`issuer_id=${id}&action=issuer.create`)).items).toHaveLength(1);
    expect((await list(`row_id=${id}&action=issuer_key.create`)).items).toHaveLength(0);
  });

  it.each([
    ['action=x', 'action'],
    ['action=image.update&action=x.y', 'action'],
    ['issuer_id=x', 'issuer_id'],
    ['row_id=', 'row_id'],
    ['row_id=%00', 'row_id'],
    ['actor=x', 'actor'],
  ])('refuses the filter %s', async (query, key) => {
    const response = await service.admin('GET', `/audit?${query}`);
    expect(response.json()).toMatchObject({ status: 422, errors: [{ key }] });
  });
});

describe('the migration', () => {
  it('can be reverted and applied again, with its triggers', async () => {
    const database = await createTestDatabase();
    const dataSource = await createDataSource(readDatabaseSettings(database.variables));
    await dataSource.initialize();
    try {
      const tables = async (): Promise<string[]> =>
        (await dataSource.query<Row[]>(`SELECT relname FROM pg_class WHERE relkind = 'r'`)).map((row) =>
          String(row['relname']),
        );
      // Later migrations are reverted first.
      while ((await tables()).includes('audit_log')) await dataSource.undoLastMigration();
      expect(await tables()).not.toContain('admin_keys');
      await dataSource.query(`INSERT INTO issuers (id, name) VALUES ($1, 'Without a log')`, [randomUUID()]);
      await migrateUnderLock(dataSource);
      expect(await tables()).toContain('audit_log');
      await dataSource.query('DELETE FROM issuers');
      const [row] = await dataSource.query<Row[]>('SELECT action FROM audit_log');
      expect(row).toStrictEqual({ action: 'issuer.delete' });
    } finally {
      await dataSource.destroy();
      await database.drop();
    }
  });
});
