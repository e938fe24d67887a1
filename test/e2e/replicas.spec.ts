import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { INVALIDATED_CLAIMS, INVALIDATIONS } from '../support/invalidations.js';
import { createTenant, post, type Tenant } from '../support/seed.js';
import { startService, type Service } from '../support/service.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';
import { waitUntil } from '../support/wait-until.js';

// The embedded database belongs to one process.
describe.runIf(inject('database').kind === 'postgres')('three replicas', () => {
  let database: TestDatabase;
  let replicas: Service[];
  let first: Service;
  let tenant: Tenant;

  beforeAll(async () => {
    database = await createTestDatabase();
    first = await startService({}, database);
    replicas = [first, await startService({}, database), await startService({}, database)];
  });
  afterAll(async () => {
    await Promise.all(replicas.map((replica) => replica.close()));
    await database.drop();
  });
  beforeEach(async () => {
    const name = randomUUID().slice(0, 8);
    tenant = await createTenant(first, { publicId: `image_${name}`, overlayPublicId: `layer_${name}` });
  });

  // One replica's admin API created the rows; the others' models do not have them to check a Location.
  const statuses = (claims: object): Promise<number[]> =>
    Promise.all(replicas.map(async (replica) => (await replica.get(tenant.path({ ...claims }))).status));
  const come = (status: number, claims: object): Promise<void> =>
    waitUntil(`all replicas return ${status}`, async () =>
      (await statuses(claims)).every((each) => each === status),
    );

  it.each(INVALIDATIONS)('all refuse %s', async (_, invalidate) => {
    expect(await statuses(INVALIDATED_CLAIMS)).toStrictEqual([302, 302, 302]);
    expect((await invalidate(first, tenant)).status).toBeLessThan(300);
    // The one that received the write has read its own write.
    expect((await first.get(tenant.path(INVALIDATED_CLAIMS))).status).toBe(401);
    await come(401, INVALIDATED_CLAIMS);
  });

  it('all accept a restored session', async () => {
    const { id } = await post<{ id: string }>(first, `/issuers/${tenant.issuerId}/revocations`, {
      session_id: 'one',
    });
    await come(401, { session_id: 'one' });
    await first.admin('DELETE', `/issuers/${tenant.issuerId}/revocations/${id}`);
    await come(302, { session_id: 'one' });
  });
});
