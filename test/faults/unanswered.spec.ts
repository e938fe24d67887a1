import pg from 'pg';
import { expect, inject, it, onTestFinished } from 'vitest';
import { ownDatabase } from '../support/owned.js';
import { startService } from '../support/service.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { waitUntil } from '../support/wait-until.js';

/** Milliseconds: more than the write and the rollback after it may take together. */
const LATE = 11_000;

// The embedded database runs in the process.
it.runIf(inject('database').kind === 'postgres')(
  'a write whose result arrives too late is not committed by the next writer',
  async () => {
    const database = await ownDatabase();
    const url = database.variables['DATABASE_URL'] ?? '';
    const proxy = await TcpProxy.before(url);
    onTestFinished(() => proxy.close());
    const service = await startService(
      {},
      { ...database, variables: { ...database.variables, DATABASE_URL: proxy.urlOf(url) } },
    );
    onTestFinished(() => service.close());
    const operator = new pg.Client({ connectionString: url });
    await operator.connect();
    onTestFinished(() => operator.end());
    const isHeld = async (): Promise<boolean> => {
      const { rowCount } = await operator.query(
        `SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
      );
      return rowCount === 1;
    };
    const create = async (name: string): Promise<number> =>
      (await service.admin('POST', '/issuers', { name })).status;

    expect(await create('before')).toBe(201);
    await operator.query('BEGIN');
    await operator.query('LOCK TABLE issuers IN EXCLUSIVE MODE');
    const late = create('unanswered');
    await waitUntil('the write is blocked', isHeld);
    // It is executed, and only its result is late.
    proxy.slow(LATE);
    await operator.query('ROLLBACK');
    expect(await late).toBe(503);
    proxy.restore();
    await waitUntil('writes are accepted again', async () => (await create('after')) === 201);
    const { rows } = await operator.query(`SELECT DISTINCT name FROM issuers ORDER BY name`);
    expect(rows).toStrictEqual([{ name: 'after' }, { name: 'before' }]);
  },
);
