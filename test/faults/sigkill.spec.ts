import { describe, expect, inject, it } from 'vitest';
import { readDatabaseSettings } from '../../src/platform/config/environment.js';
import { createDataSource } from '../../src/platform/database/data-source.js';
import { FIGURE } from '../support/figures.reporter.js';
import { requestAdmin, ownDatabase } from '../support/owned.js';
import { ownProcess, startServiceProcess, type ServiceProcess } from '../support/service-process.js';
import { TEST_VARIABLES } from '../support/service.js';

/** Fewer if each start has to start the database as well. */
const KILLS = inject('database').kind === 'embedded' ? 8 : 20;

describe('SIGKILL during admin writes', () => {
  it(`loses no acknowledged row and leaves no row without its audit entry, ${KILLS} times`, async ({
    annotate,
  }) => {
    const { variables } = await ownDatabase();
    const acknowledged = new Map<string, string>();
    let issuer = '';
    for (let round = 0; round < KILLS; round++) {
      const service = await startServiceProcess({ ...TEST_VARIABLES, ...variables });
      try {
        if (round === 0) {
          issuer = (
            (await requestAdmin(service, 'POST', '/issuers', { name: 'Hit' })).json() as { id: string }
          ).id;
        }
        await expectAll(service, issuer, acknowledged);
        await writeUntilKilled(service, issuer, round, acknowledged);
      } finally {
        service.kill('SIGKILL');
        await service.exited;
      }
    }
    const last = await ownProcess({ ...TEST_VARIABLES, ...variables });
    await expectAll(last, issuer, acknowledged);
    expect(acknowledged.size).toBeGreaterThanOrEqual(KILLS * 5);
    last.kill('SIGTERM');
    await last.exited;
    const written = await expectAudited(variables);
    await annotate(
      `SIGKILL during admin writes: ${KILLS} kills, ${acknowledged.size} writes acknowledged, ${written} committed, 0 lost, 0 unrecorded`,
      FIGURE,
    );
  }, 600_000);

  /** Every row has the entry of its creation, and every entry its row: the log and the rows are one transaction. */
  async function expectAudited(variables: Readonly<Record<string, string>>): Promise<number> {
    const dataSource = await createDataSource(readDatabaseSettings(variables));
    await dataSource.initialize();
    try {
      const pairs = await dataSource.query<{ row: string | null; entry: string | null; actor: string }[]>(
        `SELECT overlays.id AS row, audit_log.row_id AS entry, audit_log.actor
           FROM overlays FULL JOIN (SELECT * FROM audit_log WHERE action = 'overlay.create') AS audit_log
             ON audit_log.row_id = overlays.id::text`,
      );
      expect(pairs.filter(({ row, entry }) => row === null || entry === null)).toStrictEqual([]);
      expect(new Set(pairs.map(({ row }) => row)).size).toBe(pairs.length);
      return pairs.length;
    } finally {
      await dataSource.destroy();
    }
  }

  /** Concurrent writers; the process is killed after a few responses, with writes in progress. */
  async function writeUntilKilled(
    service: ServiceProcess,
    issuer: string,
    round: number,
    acknowledged: Map<string, string>,
  ): Promise<void> {
    let acknowledgedIds = 0;
    await Promise.all(
      Array.from({ length: 4 }, async (_, writer) => {
        for (let count = 0; ; count++) {
          const public_id = `round_${round}_${writer}_${count}`;
          const response = await requestAdmin(service, 'POST', '/overlays', {
            issuer_id: issuer,
            public_id,
          }).catch(() => null);
          if (response === null) return;
          if (response.status !== 201) throw new Error(`${response.status} ${response.text}`);
          acknowledged.set((response.json() as { id: string }).id, public_id);
          acknowledgedIds += 1;
          if (acknowledgedIds === 5 + round) service.kill('SIGKILL');
        }
      }),
    );
  }

  async function expectAll(
    service: ServiceProcess,
    issuer: string,
    acknowledged: ReadonlyMap<string, string>,
  ): Promise<void> {
    const kept = new Map<string, string>();
    let cursor: string | null = '';
    while (cursor !== null) {
      const more: string = cursor === '' ? '' : `&cursor=${cursor}`;
      const response = await requestAdmin(service, 'GET', `/overlays?issuer_id=${issuer}&limit=100${more}`);
      const page = response.json() as {
        items: { id: string; public_id: string }[];
        next_cursor: string | null;
      };
      for (const { id, public_id } of page.items) kept.set(id, public_id);
      cursor = page.next_cursor;
    }
    const lost = [...acknowledged].filter(([id, publicId]) => kept.get(id) !== publicId);
    expect(lost).toStrictEqual([]);
  }
});
