import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, inject, it, vi } from 'vitest';
import { DirectoryService } from '../../src/directory/directory.service.js';
import { FIGURE } from '../support/figures.reporter.js';
import { ownClient } from '../support/owned.js';
import { createSeedTenant, type Tenant } from '../support/seed.js';
import { startService, type Service } from '../support/service.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';
import { waitUntil } from '../support/wait-until.js';

const ROUNDS = 100;

let database: TestDatabase;
let service: Service;
let tenant: Tenant;

beforeEach(async () => {
  database = await createTestDatabase();
  service = await startService({}, database);
  tenant = await createSeedTenant(service);
});
afterEach(async () => {
  await service.close();
  await database.drop();
});

const status = async (): Promise<number> => (await service.get(tenant.path())).status;

describe('a cache that is filled while its row is changed', () => {
  it.runIf(inject('database').kind === 'postgres')(
    'returns the old row to requests that waited for it, and never caches it',
    async () => {
      const [operator, blocker] = [await ownClient(database), await ownClient(database)];
      const received = vi.spyOn(service.app.get(DirectoryService), 'rowChanged');
      const disable = (disabled: boolean): Promise<unknown> =>
        operator.query('UPDATE issuers SET disabled = $1 WHERE id = $2', [disabled, tenant.issuerId]);
      const changeReceived = (): Promise<void> =>
        waitUntil('the change is received', () => received.mock.calls.length > 0);

      // A look-up reads the issuer, then its keys. It is blocked between the two; if the machine is too busy and the
      // look-up's own timeout expires, there was no race, and the test tries again.
      for (let tries = 1, raced = 0; raced !== 302; tries += 1) {
        expect(tries).toBeLessThan(20);
        received.mockClear();
        await disable(false);
        await changeReceived();
        received.mockClear();
        await blocker.query('BEGIN');
        await blocker.query('LOCK TABLE issuer_keys');
        const pending = status();
        await waitUntil('the issuer is read and its keys are not', async () => {
          const { rows } = await operator.query(
            `SELECT FROM pg_stat_activity
              WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%issuer_keys%'`,
          );
          return rows.length === 1;
        });
        await disable(true);
        await changeReceived();
        await blocker.query('COMMIT');
        raced = await pending;
        expect([302, 503]).toContain(raced);
      }
      // The listener is connected: if the old row were cached, it would be served for a minute.
      expect(await status()).toBe(401);
    },
  );

  it(`never serves the state before a write that was acknowledged, ${ROUNDS} times`, async ({ annotate }) => {
    const disable = async (disabled: boolean): Promise<void> => {
      const response = await service.admin('PATCH', `/issuers/${tenant.issuerId}`, { disabled });
      expect(response.status).toBe(200);
    };
    let beforeWrite = 0;
    for (let round = 0; round < ROUNDS; round += 1) {
      await disable(false);
      const written = disable(true);
      const pending: Promise<number>[] = [];
      for (let count = 0; count < 4; count += 1) {
        pending.push(status());
        await sleep(round % 4);
      }
      await written;
      expect(await status()).toBe(401);
      beforeWrite += (await Promise.all(pending)).filter((each) => each === 302).length;
      expect(await status()).toBe(401);
    }
    await annotate(
      `fills racing a write: ${beforeWrite} of ${4 * ROUNDS} saw the row before it, none after the acknowledgement`,
      FIGURE,
    );
  });
});
