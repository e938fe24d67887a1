import { randomBytes, randomUUID } from 'node:crypto';
import { DataSource } from 'typeorm';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  type Counters,
  dayOf,
  type PaidPicture,
  type Picture,
} from '../../src/directory/counters/counters.js';
import { DatabaseCounters } from '../../src/directory/counters/database-counters.js';
import { RedisCounters } from '../../src/directory/counters/redis-counters.js';
import { DatabaseLookups } from '../../src/directory/database-lookups.service.js';
import { findRedis, startRedis, type RedisServer } from '../support/redis-server.js';
import { post } from '../support/seed.js';
import { startService, type Service } from '../support/service.js';
import { waitUntil } from '../support/wait-until.js';

const REPLICAS = 3;
const TODAY = dayOf(Date.now());
const redis = findRedis();

let service: Service;
let server: RedisServer | null;
let inRedis: readonly RedisCounters[] = [];
let inDatabase: readonly DatabaseCounters[];
let issuerId: string = randomUUID();

beforeAll(async () => {
  service = await startService();
  const lookups = service.app.get(DatabaseLookups);
  inDatabase = Array.from({ length: REPLICAS }, () => new DatabaseCounters(lookups));
  server = redis === null ? null : await startRedis(redis);
  if (server === null) return;
  const { url } = server;
  inRedis = Array.from({ length: REPLICAS }, () => new RedisCounters(url));
  for (const counters of inRedis) await responding(counters);
});
afterAll(async () => {
  for (const counters of inRedis) counters.onApplicationShutdown();
  await server?.stop();
  await service.close();
});
beforeEach(async () => {
  ({ id: issuerId } = await post<{ id: string }>(service, '/issuers', { name: 'Counted' }));
});

const responding = (counters: Counters): Promise<void> =>
  waitUntil('Redis counts', () =>
    counters.payPicture(picture(1), TODAY).then(
      () => true,
      () => false,
    ),
  );

const sql = <T>(text: string, values: unknown[] = []): Promise<T> =>
  service.app.get(DataSource).query<T>(text, values);

const picture = (budget: number): Picture => ({
  issuerId,
  digest: randomBytes(16).toString('base64url'),
  budget,
});

const inTurn = (of: readonly Counters[], index: number): Counters => {
  const counters = of[index % of.length];
  if (counters === undefined) throw new Error('There are no counters');
  return counters;
};

const stores = [
  { store: 'the database', all: () => inDatabase },
  ...(redis === null ? [] : [{ store: 'Redis', all: () => inRedis }]),
];

describe.each(stores)('pictures in $store', ({ all }) => {
  it('are new once, and known from then on, at every replica', async () => {
    const [one, two] = [picture(1), picture(1)];
    expect(await inTurn(all(), 0).payPicture(one, TODAY)).toBe('new');
    for (let index = 0; index < 6; index += 1) {
      expect(await inTurn(all(), index).payPicture(one, TODAY)).toBe('known');
      expect(await inTurn(all(), index).payPicture(two, TODAY)).toBeNull();
    }
    // The next day has a budget of its own, and what was seen is known.
    expect(await inTurn(all(), 1).payPicture(one, TODAY + 1)).toBe('known');
    expect(await inTurn(all(), 1).payPicture(two, TODAY + 1)).toBe('new');
    expect(await inTurn(all(), 2).payPicture(picture(1), TODAY + 1)).toBeNull();
    // A budget that is raised applies at once; one that is lowered forgets nothing.
    expect(await inTurn(all(), 2).payPicture(picture(2), TODAY + 1)).toBe('new');
    expect(await inTurn(all(), 0).payPicture({ ...two, budget: 1 }, TODAY + 1)).toBe('known');
  });

  it('are as many as the budget, however many replicas count at once', async () => {
    const budget = 25;
    const wanted = Array.from({ length: 60 }, () => picture(budget));
    // Each picture twice at each replica.
    const results = await Promise.all(
      [...wanted, ...wanted.toReversed()].flatMap((each) =>
        all().map(async (counters) => ({
          digest: each.digest,
          paid: await counters.payPicture(each, TODAY),
        })),
      ),
    );
    const paid = new Set(results.filter((result) => result.paid !== null).map(({ digest }) => digest));
    expect(paid.size).toBe(budget);
    expect(results.filter((result) => result.paid === 'new').length).toBeGreaterThanOrEqual(budget);
    expect(await inTurn(all(), 0).payPicture(picture(budget), TODAY)).toBeNull();
    expect(await inTurn(all(), 0).payPicture(picture(budget + 1), TODAY)).toBe('new');
  });

  it('are counted by issuer', async () => {
    const one = picture(1);
    const { id: other } = await post<{ id: string }>(service, '/issuers', { name: 'Other' });
    expect(await inTurn(all(), 0).payPicture(one, TODAY)).toBe('new');
    expect(await inTurn(all(), 0).payPicture({ ...one, issuerId: other }, TODAY)).toBe('new');
    expect(await inTurn(all(), 0).payPicture({ ...picture(1), issuerId: other }, TODAY)).toBeNull();
  });
});

describe.each(stores)('uses of tokens in $store', ({ all }) => {
  const use = (jwtId: string, maxUses = 3): Parameters<Counters['countUse']>[0] => ({
    issuerId,
    jwtId,
    maxUses,
    expiresAt: Date.now() + 60_000,
  });

  it('are as many as the token allows, however many replicas count at once', async () => {
    const results = await Promise.all(
      Array.from({ length: 60 }, (_, index) => inTurn(all(), index).countUse(use('one'))),
    );
    expect(results.filter((isCounted) => isCounted)).toHaveLength(3);
    expect(await inTurn(all(), 0).countUse(use('one'))).toBe(false);
    // Another token with the same name is counted with it.
    expect(await inTurn(all(), 1).countUse(use('one', 4))).toBe(true);
    expect(await inTurn(all(), 2).countUse(use('one', 4))).toBe(false);
  });

  it('are counted by issuer and name, whatever its characters', async () => {
    const { id: other } = await post<{ id: string }>(service, '/issuers', { name: 'Other' });
    const names = ['a', 'A', 'a ', 'ä', 'ж'.repeat(255), "' OR 1=1", '{x}:*', '../a'];
    for (const name of names) {
      expect(await inTurn(all(), 0).countUse(use(name, 1)), name).toBe(true);
      expect(await inTurn(all(), 1).countUse(use(name, 1)), name).toBe(false);
      expect(await inTurn(all(), 1).countUse({ ...use(name, 1), issuerId: other }), name).toBe(true);
    }
  });
});

describe('counts in the database', () => {
  it('know a picture for 30 days after it was last seen', async () => {
    const [counters] = inDatabase;
    const one = picture(1);
    const pay = (of: Picture, day: number): Promise<PaidPicture | null> | undefined =>
      counters?.payPicture(of, TODAY + day);
    expect(await pay(one, 0)).toBe('new');
    expect(await pay(one, 30)).toBe('known');
    expect(await pay(picture(1), 30)).toBe('new');
    expect(await pay(one, 60)).toBe('known');
    // New again: it takes the budget of that day.
    expect(await pay(one, 91)).toBe('new');
    expect(await pay(picture(1), 91)).toBeNull();
  });

  it('go with their issuer, and of a deleted one nothing is counted', async () => {
    const [counters] = inDatabase;
    await counters?.payPicture(picture(1), TODAY);
    const use = { issuerId, jwtId: 'one', maxUses: 2, expiresAt: Date.now() + 1_000 };
    expect(await counters?.countUse(use)).toBe(true);
    expect((await service.admin('DELETE', `/issuers/${issuerId}`)).status).toBe(204);
    const rows = await sql<unknown[]>(
      `SELECT issuer_id FROM pictures WHERE issuer_id = $1 UNION SELECT issuer_id FROM picture_days WHERE issuer_id = $1
       UNION SELECT issuer_id FROM token_uses WHERE issuer_id = $1`,
      [issuerId],
    );
    expect(rows).toStrictEqual([]);
    expect(await counters?.countUse(use)).toBe(false);
    expect(await counters?.payPicture(picture(1), TODAY)).toBeNull();
  });

  it('are deleted once they have no effect', async () => {
    const [counters] = inDatabase;
    const hour = 3_600_000;
    for (const day of [0, -30, -32]) await counters?.payPicture(picture(9), TODAY + day);
    for (const [jwtId, hours] of [
      ['past', -2],
      ['recent', -0.5],
      ['valid', 1],
    ] as const) {
      await counters?.countUse({ issuerId, jwtId, maxUses: 2, expiresAt: Date.now() + hours * hour });
    }
    await counters?.prune();
    const count = async (table: string): Promise<number> =>
      Number(
        (await sql<{ n: string }[]>(`SELECT count(*) AS n FROM ${table} WHERE issuer_id = $1`, [issuerId]))[0]
          ?.n,
      );
    expect([await count('pictures'), await count('picture_days'), await count('token_uses')]).toStrictEqual([
      2, 1, 2,
    ]);
  });
});

describe.runIf(redis !== null)('counts in Redis', () => {
  const ttlOf = async (pattern: string): Promise<number> => {
    const keys = (await server?.call('KEYS', pattern)) as string[];
    expect(keys).toHaveLength(1);
    return Number(await server?.call('PTTL', keys[0] ?? ''));
  };
  const DAY = 86_400_000;

  it('expire: pictures 30 days after they were last seen, days after two, uses with their token', async () => {
    const [counters] = inRedis;
    await counters?.payPicture(picture(5), TODAY);
    expect(await ttlOf(`{pixseal}:picture:${issuerId}:*`)).toBeGreaterThan(30 * DAY - 60_000);
    expect(await ttlOf(`{pixseal}:pictures:${issuerId}:*`)).toBeGreaterThan(2 * DAY - 60_000);
    const use = { issuerId, jwtId: 'one', maxUses: 5 };
    await counters?.countUse({ ...use, expiresAt: Date.now() + 7 * DAY });
    // The longest of equal names counts, and one that expires in the year 5138 can be counted.
    await counters?.countUse({ ...use, expiresAt: Date.now() + DAY });
    expect(await ttlOf(`{pixseal}:uses:${issuerId}:*`)).toBeGreaterThan(7 * DAY);
    expect(await counters?.countUse({ ...use, jwtId: 'far', expiresAt: 99_999_999_999_000 })).toBe(true);
  });

  it('have names without a token’s own', async () => {
    await inRedis[0]?.countUse({ issuerId, jwtId: 'canary', maxUses: 1, expiresAt: Date.now() });
    expect(await server?.call('KEYS', '*canary*')).toStrictEqual([]);
  });

  it('refuse while Redis does not respond, and go on once it does', async () => {
    const own = await startRedis(redis ?? '');
    const counters = new RedisCounters(own.url);
    try {
      await responding(counters);
      const one = picture(9);
      expect(await counters.payPicture(one, TODAY)).toBe('new');
      own.signal('SIGSTOP');
      await expect(counters.payPicture(one, TODAY)).rejects.toMatchObject({
        status: 503,
        code: 'counter_unavailable',
        headers: { 'Retry-After': '1' },
      });
      const use = { issuerId, jwtId: 'one', maxUses: 1, expiresAt: Date.now() + 60_000 };
      await expect(counters.countUse(use)).rejects.toMatchObject({ code: 'counter_unavailable' });
      own.signal('SIGCONT');
      await responding(counters);
      expect(await counters.payPicture(one, TODAY)).toBe('known');
    } finally {
      counters.onApplicationShutdown();
      await own.stop();
    }
  });
});
