import { randomBytes, randomUUID } from 'node:crypto';
import type { EventEmitter } from 'node:events';
import { Agent } from 'node:http';
import { DataSource } from 'typeorm';
import type { PostgresDriver } from 'typeorm/driver/postgres/PostgresDriver.js';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { IssuerKeyUses } from '../../src/directory/issuer-key-uses.service.js';
import { FIGURE } from '../support/figures.reporter.js';
import { request } from '../support/http.js';
import { SignatureBudget } from '../../src/tokens/signature-budget.js';
import { createSeedTenant, post, signWith, type Tenant } from '../support/seed.js';
import { startService, type Service } from '../support/service.js';
import { makeKeyPair, signWithKey } from '../tokens/public-key-fixtures.js';

const FLOOD = 1_000;
const CLIENTS = 8;

let service: Service;
let tenant: Tenant;

beforeAll(async () => {
  service = await startService();
  tenant = await createSeedTenant(service);
  expect((await service.image(tenant.path())).status).toBe(302);
});
afterAll(() => service.close());

/** Requests the tenant's image with each token. @returns the statuses, and the duration in milliseconds. */
async function flood(tokens: readonly string[]): Promise<{ statuses: ReadonlySet<number>; took: number }> {
  const agent = new Agent({ keepAlive: true });
  const statuses = new Set<number>();
  const left = [...tokens];
  const startedAt = performance.now();
  await Promise.all(
    Array.from({ length: CLIENTS }, async () => {
      for (let token = left.pop(); token !== undefined; token = left.pop()) {
        const path = `/images/${tenant.imageId}?token=${token}`;
        statuses.add((await request({ port: service.port, path, agent })).status);
      }
    }),
  );
  agent.destroy();
  return { statuses, took: performance.now() - startedAt };
}

/** Counts the service's queries from now on, except those of the change feed. */
function countQueries(): () => number {
  const pool = (service.app.get(DataSource).driver as PostgresDriver).master as EventEmitter;
  let count = 0;
  const note = (): void => void (count += 1);
  pool.on('acquire', note);
  onTestFinished(() => void pool.off('acquire', note));
  return () => count;
}

const tokens = (create: (index: number) => string): string[] =>
  Array.from({ length: FLOOD }, (_, index) => create(index));

describe('a flood of forged tokens', () => {
  const unknown = randomUUID();
  it.for<[name: string, forge: (index: number) => string]>([
    ['for an existing issuer', (index) => signWith(secret(), { iss: tenant.issuerId, jti: String(index) })],
    ['for an unknown issuer', (index) => signWith(secret(), { iss: unknown, jti: String(index) })],
    ['for a different issuer each', () => signWith(secret(), { iss: randomUUID() })],
  ])('%s is refused without a query after the first', async ([name, forge], { annotate }) => {
    const good = await flood(tokens((index) => tenant.sign({ nonce: String(index) })));
    expect([...good.statuses]).toStrictEqual([302]);
    // The uses of valid keys are written now, and not while queries are counted.
    await service.app.get(IssuerKeyUses, { strict: false }).flush();

    expect([...(await flood([forge(-1)])).statuses]).toStrictEqual([401]);
    const queries = countQueries();
    const forged = await flood(tokens(forge));
    expect([...forged.statuses]).toStrictEqual([401]);
    // An absent row is looked up again every five seconds, and with it the ids of all issuers.
    expect(queries()).toBeLessThanOrEqual(2 * Math.floor(forged.took / 5_000));
    await annotate(
      `forged tokens ${name}: ${perSecond(forged.took)} refused a second beside ${perSecond(good.took)} good ones, ${queries()} queries`,
      FIGURE,
    );
    // The existing one is found.
    expect((await service.image(tenant.path())).status).toBe(302);
  });
});

describe('a flood of tokens that a public key did not sign', () => {
  it('is checked at a bounded rate, and touches no cached redirect and no secret', async ({ annotate }) => {
    const pair = makeKeyPair('RS256');
    const { algorithm, pem: public_key } = pair;
    const { id } = await post<{ id: string }>(service, `/issuers/${tenant.issuerId}/keys`, {
      algorithm,
      public_key,
    });
    const sign = (nonce: string): string =>
      signWithKey({ ...pair, id }, { payload: { iss: tenant.issuerId, nonce } });
    const cached = sign('cached');
    for (let times = 0; times < 3; times += 1)
      expect([...(await flood([cached])).statuses]).toStrictEqual([302]);

    const [header = '', , signature = ''] = cached.split('.');
    const forge = (index: number): string =>
      `${header}.${Buffer.from(JSON.stringify({ iss: tenant.issuerId, index })).toString('base64url')}.${signature}`;
    const take = vi.spyOn(SignatureBudget.prototype, 'take');
    onTestFinished(() => {
      take.mockRestore();
    });
    const forged = await flood(Array.from({ length: 3_000 }, (_, index) => forge(index)));
    const checked = take.mock.results.filter(({ type }) => type === 'return').length;
    // A burst of one second, and 500 in each further one.
    expect(checked).toBeLessThanOrEqual(500 + Math.ceil(forged.took / 2));
    if (forged.took < 4_000) expect(forged.statuses).toStrictEqual(new Set([401, 429]));
    await annotate(
      `tokens forged for a public key: ${checked} of 3000 checked in ${forged.took.toFixed(0)} ms`,
      FIGURE,
    );
    const others = await flood([cached, tenant.sign({ nonce: 'beside' })]);
    expect([...others.statuses]).toStrictEqual([302]);
  });
});

const secret = (): string => randomBytes(32).toString('base64url');
const perSecond = (took: number): string => ((FLOOD * 1_000) / took).toFixed(0);
