import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, inject, it, onTestFinished } from 'vitest';
import { ownDatabase } from '../support/owned.js';
import { findPostgresTool, runTool } from '../support/postgres-tool.js';
import { createTenant, type Tenant } from '../support/seed.js';
import { startService, type Service } from '../support/service.js';

const embedded = inject('database').kind === 'embedded';
const [dump, restore] = embedded
  ? [null, null]
  : [findPostgresTool('pg_dump'), findPostgresTool('pg_restore')];

function createTempFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'pixseal-backup-'));
  onTestFinished(() => {
    rmSync(folder, { recursive: true, force: true });
  });
  return folder;
}

/** Two tenants with everything that leads to a Location, and everything that must no longer do so. */
async function createRows(service: Service): Promise<readonly Tenant[]> {
  const tenants = [
    await createTenant(service, { publicId: 'one', overlayPublicId: 'mark/one', access: 'public' }),
    await createTenant(service, { publicId: 'two', overlayPublicId: 'mark/two' }),
  ];
  const [first, second] = tenants;
  await service.admin('PATCH', `/issuers/${first?.issuerId ?? ''}`, {
    delivery_format: 'webp',
    policy: { base_chain: [{ width: 1000, crop: 'limit' }] },
  });
  await service.admin('POST', `/issuers/${second?.issuerId ?? ''}/revocations`, { jti: 'revoked' });
  return tenants;
}

/** Statuses and Locations of all requests with the tenants' tokens. */
async function responsesOf(service: Service, tenants: readonly Tenant[]): Promise<readonly string[]> {
  const paths = tenants.flatMap((tenant) => [
    tenant.path(),
    tenant.steps({ width: 200, overlay: tenant.overlayId, flags: 'tiled' }, { width: 101, crop: 'fit' }),
    tenant.path({ jti: 'revoked' }),
    `/images/${tenant.imageId}`,
  ]);
  const responses: string[] = [];
  for (const path of paths) {
    const { status, headers } = await service.get(path, { host: 'example.org' });
    responses.push(`${status} ${headers.location ?? ''}`);
  }
  return responses;
}

function expectResponses(responses: readonly string[]): void {
  expect(responses.map((response) => response.slice(0, 3))).toStrictEqual([
    ...['302', '302', '302', '302'],
    ...['302', '302', '401', '401'],
  ]);
}

describe('a backup that is restored elsewhere', () => {
  it.runIf(dump !== null && restore !== null)(
    'gives the same tokens the same Locations, and contains no secret in clear text',
    async () => {
      const [origin, target] = [await ownDatabase(), await ownDatabase({ empty: true })];
      const before = await startService({}, origin);
      const tenants = await createRows(before);
      const expected = await responsesOf(before, tenants);
      expectResponses(expected);
      await before.close();

      // As in docs/operations.md.
      const file = join(createTempFolder(), 'pixseal.dump');
      runTool(dump ?? '', [
        ...['--format=custom', '--no-owner', `--file=${file}`, origin.variables['DATABASE_URL'] ?? ''],
      ]);
      runTool(restore ?? '', [
        ...['--no-owner', '--exit-on-error', `--dbname=${target.variables['DATABASE_URL'] ?? ''}`, file],
      ]);
      const plain = runTool(restore ?? '', ['--file=-', file]);
      for (const { issuerId, secret } of tenants) {
        expect(plain).toContain(issuerId);
        expect(plain).not.toContain(secret);
        expect(plain).not.toContain(Buffer.from(secret).toString('hex'));
      }

      const after = await startService({}, target);
      onTestFinished(() => after.close());
      expect(await responsesOf(after, tenants)).toStrictEqual(expected);
      // The database is writable: writes are recorded and notified as before.
      const [tenant] = tenants;
      const disabled = await after.admin('PATCH', `/issuers/${tenant?.issuerId ?? ''}`, { disabled: true });
      expect(disabled.status).toBe(200);
      expect((await after.get(tenant?.path() ?? '')).status).toBe(401);
    },
  );

  it.runIf(embedded)('gives the same tokens the same Locations: a copy of the data folder', async () => {
    const origin = await ownDatabase();
    const before = await startService({}, origin);
    const tenants = await createRows(before);
    const expected = await responsesOf(before, tenants);
    expectResponses(expected);
    await before.close();

    const folder = join(createTempFolder(), 'copy');
    cpSync(origin.variables['DATA_DIR'] ?? '', folder, { recursive: true });
    const after = await startService({}, { variables: { DATA_DIR: folder }, drop: () => Promise.resolve() });
    onTestFinished(() => after.close());
    expect(await responsesOf(after, tenants)).toStrictEqual(expected);
    expect(readFileSync(join(folder, 'pixseal.pid'), 'utf8')).toContain(String(process.pid));
  });
});
