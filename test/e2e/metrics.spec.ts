import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { parse } from 'yaml';
import { PROBLEMS } from '../../src/domain/problems.js';
import { createAdminKey } from '../support/admin-keys.js';
import { changesReceived } from '../support/change-feed.js';
import { parseMetrics, readMetrics, sumOf, type MetricLine } from '../support/metrics.js';
import { notify, now, uploaded } from '../support/notifications.js';
import { getPicture, uploadPictures } from '../support/pictures.js';
import { findFreePort } from '../support/postgres-server.js';
import { hasProgram } from '../support/programs.js';
import { createRandomTenant, post, signWith, type Tenant } from '../support/seed.js';
import { startServiceProcess } from '../support/service-process.js';
import { ADMIN_KEY, startService, TEST_VARIABLES, type Service } from '../support/service.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { createTestDatabase } from '../support/test-database.js';
import { waitUntil } from '../support/wait-until.js';

const onServer = inject('database').kind === 'postgres';
const ROUTE = '/images/:image_id';
/** Every line that a test here has read. */
const received: MetricLine[] = [];

async function metricsOf({ port }: { readonly port: number }): Promise<readonly MetricLine[]> {
  const lines = await readMetrics(port);
  received.push(...lines);
  return lines;
}

let service: Service;
let tenant: Tenant;

beforeAll(async () => {
  service = await startService({ RATE_LIMIT_ISSUER: '60' });
});
afterAll(() => service.close());

async function createTenantOf(of = service, access: 'token' | 'public' = 'token'): Promise<Tenant> {
  const created = await createRandomTenant(of, access);
  await changesReceived(of);
  return created;
}

/** The increase of a metric during an operation. */
async function growth(
  work: () => Promise<unknown>,
  name: string,
  labels?: Readonly<Record<string, string>>,
): Promise<number> {
  const before = sumOf(await metricsOf(service), name, labels);
  await work();
  return sumOf(await metricsOf(service), name, labels) - before;
}

describe('/metrics', () => {
  it('is for admin keys that may read and are not bound to an issuer', async () => {
    tenant = await createTenantOf();
    const writes = await createAdminKey(service, { scopes: ['write'] });
    const bound = await createAdminKey(service, { scopes: ['read'], issuer_id: tenant.issuerId });
    const reads = await createAdminKey(service, { scopes: ['read'] });
    expect((await service.get('/metrics')).json()).toMatchObject({ code: 'admin_key_required' });
    expect((await service.get('/metrics', writes.headers)).status).toBe(403);
    expect((await service.get('/metrics', bound.headers)).status).toBe(403);
    const response = await service.get('/metrics', reads.headers);
    expect(response.status).toBe(200);
    expect(response.headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(response.headers['cache-control']).toBe('no-store');
  });

  it('has a help text for every metric', async () => {
    const { text } = await service.get('/metrics', { authorization: `Bearer ${ADMIN_KEY}` });
    const lines = parseMetrics(text);
    for (const name of new Set(lines.map((line) => line.name.replace(/_(bucket|sum|count)$/, '')))) {
      expect(text).toMatch(new RegExp(`^# HELP ${name}(_sum|_count)? .{10,}$`, 'm'));
      expect(text).toMatch(
        new RegExp(`^# TYPE ${name}(_sum|_count)? (counter|gauge|histogram|summary)$`, 'm'),
      );
    }
    for (const name of ['nodejs_eventloop_lag_p99_seconds', 'nodejs_heap_size_used_bytes']) {
      expect(lines.map((line) => line.name)).toContain(name);
    }
  });
});

describe('the service counts', () => {
  beforeAll(async () => {
    tenant = await createTenantOf();
  });

  it('every redirect by cache hit or miss, and its duration', async () => {
    const path = tenant.path();
    const twice = async (): Promise<void> => {
      await service.image(path);
      await service.image(path);
    };
    const miss = { cache: 'miss', access: 'token' };
    expect(await growth(twice, 'pixseal_redirects_total', miss)).toBe(2);
    expect(await growth(twice, 'pixseal_redirects_total', { cache: 'hit' })).toBe(2);
    expect(await growth(twice, 'pixseal_redirects_total', miss)).toBe(0);
    const labels = { route: ROUTE, status: '3xx' };
    expect(await growth(twice, 'pixseal_request_duration_seconds_count', labels)).toBe(2);
    const inAll = { ...labels, le: '+Inf' };
    expect(await growth(twice, 'pixseal_request_duration_seconds_bucket', inAll)).toBe(2);
    expect(await growth(twice, 'pixseal_request_duration_seconds_sum', labels)).toBeGreaterThan(0);
    const open = await createTenantOf(service, 'public');
    const shown = { cache: 'miss', access: 'public' };
    expect(
      await growth(() => service.image(`/images/${open.imageId}`), 'pixseal_redirects_total', shown),
    ).toBe(1);
  });

  it('every problem by route and code, and an unknown path without its name', async () => {
    const labels = { route: ROUTE, code: 'invalid_token' };
    const forged = (): Promise<unknown> => service.get(`/images/${tenant.imageId}?token=a.b.c`);
    expect(await growth(forged, 'pixseal_problems_total', labels)).toBe(1);
    const nowhere = { route: 'none', code: 'not_found' };
    expect(await growth(() => service.get('/nowhere/at/all'), 'pixseal_problems_total', nowhere)).toBe(1);
    const unreadable = { route: 'none', code: 'bad_request' };
    expect(await growth(() => service.get('/images/%zz'), 'pixseal_problems_total', unreadable)).toBe(1);
  });

  it('every item of /deliveries', async () => {
    const deliveries = [{ image_id: tenant.imageId, token: tenant.sign() }, { token: 'a.b.c' }];
    const { port } = service;
    const request = async (): Promise<unknown> =>
      (
        await fetch(`http://127.0.0.1:${port}/deliveries`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ deliveries }),
        })
      ).json();
    expect(await growth(request, 'pixseal_deliveries_total', { code: 'ok' })).toBe(1);
    expect(await growth(request, 'pixseal_deliveries_total', { code: 'invalid_token' })).toBe(1);
  });

  it('every request refused by a rate limit, once', async () => {
    const busy = await createTenantOf();
    const path = busy.path();
    const all = async (): Promise<void> => {
      for (let times = 0; times < 62; times += 1) await service.get(path);
      expect((await service.get(path)).status).toBe(429);
    };
    const refused = await growth(all, 'pixseal_rate_limit_refusals_total', { scope: 'issuer' });
    expect(refused).toBeGreaterThanOrEqual(1);
    expect(refused).toBeLessThanOrEqual(3);
  });

  it('every write of the admin API, and none of its reads', async () => {
    const name = 'pixseal_admin_writes_total';
    const labels = { method: 'POST', route: '/admin/issuers', status: '2xx' };
    expect(await growth(() => post(service, '/issuers', { name: 'Counted' }), name, labels)).toBe(1);
    expect(await growth(() => service.admin('GET', '/issuers'), name)).toBe(0);
  });

  it('Cloudinary’s notifications', async () => {
    const twice = async (): Promise<void> => {
      const notification = uploaded(`of_nobody_${randomUUID()}`, now());
      await notify(service, notification);
    };
    expect(await growth(twice, 'pixseal_notifications_total', { result: 'unchanged' })).toBe(1);
  });

  it('every look-up in a cache, and the cache’s size', async () => {
    const fresh = await createTenantOf();
    const request = async (): Promise<unknown> => service.image(fresh.path({ jti: 'one' }));
    for (const cache of ['issuers', 'images', 'revocations']) {
      const labels = { cache, result: 'miss' };
      const other = await createTenantOf();
      const uncached = (): Promise<unknown> => service.image(other.path({ jti: 'one' }));
      expect(await growth(uncached, 'pixseal_cache_requests_total', labels)).toBeGreaterThan(0);
    }
    await request();
    expect(
      await growth(request, 'pixseal_cache_requests_total', { cache: 'images', result: 'hit' }),
    ).toBeGreaterThan(0);
    expect(await growth(request, 'pixseal_cache_requests_total', { result: 'miss' })).toBe(0);
    // Requests without a token cannot evict the rows of those with one.
    const nobodys = (): Promise<unknown> => service.image(`/images/${randomUUID()}`);
    expect(await growth(nobodys, 'pixseal_cache_entries', { cache: 'public_images' })).toBe(1);
    expect(await growth(nobodys, 'pixseal_cache_entries', { cache: 'images' })).toBe(0);
    const lines = await metricsOf(service);
    for (const cache of ['issuers', 'images', 'public_images', 'overlays', 'revocations', 'redirects']) {
      expect(lines).toContainEqual(
        expect.objectContaining({ name: 'pixseal_cache_entries', labels: { cache } }),
      );
    }
    expect(sumOf(lines, 'pixseal_cache_entries', { cache: 'images' })).toBeGreaterThan(0);
    expect(sumOf(lines, 'pixseal_redirect_cache_bytes')).toBeGreaterThan(0);
  });

  it('the time from a revocation until it takes effect', async () => {
    const name = 'pixseal_revocation_lag_seconds_count';
    const before = sumOf(await metricsOf(service), name);
    await post(service, `/issuers/${tenant.issuerId}/revocations`, { jti: randomUUID() });
    await waitUntil('it was received', async () => sumOf(await metricsOf(service), name) === before + 1);
    // On one machine there is one clock.
    expect(sumOf(await metricsOf(service), 'pixseal_revocation_lag_seconds_sum')).toBeLessThan(60);
  });

  it('the state of the database: its feed, its pool', async () => {
    const lines = await metricsOf(service);
    expect(sumOf(lines, 'pixseal_feed_live')).toBe(1);
    expect(sumOf(lines, 'pixseal_database_down')).toBe(0);
    expect(sumOf(lines, 'pixseal_feed_silence_seconds')).toBeLessThan(30);
    expect(sumOf(lines, 'pixseal_database_pool_connections')).toBeGreaterThan(0);
    expect(sumOf(lines, 'pixseal_database_pool_waiting')).toBe(0);
  });

  it('no more label values for what clients send than there are routes', async () => {
    const names = (lines: readonly MetricLine[]): string[] =>
      lines.map(({ name, labels }) => `${name}${JSON.stringify(labels)}`);
    const request = async (): Promise<void> => {
      const id = randomUUID();
      await service.get(`/images/${id}?token=${id}`);
      await service.get(`/${id}/${id}`, { 'x-request-id': id });
      await service.get(`/images/${id}/${id}`);
      await service.admin('DELETE', `/issuers/${id}`);
    };
    await request();
    const before = names(await metricsOf(service));
    for (let times = 0; times < 5; times += 1) await request();
    expect(names(await metricsOf(service))).toStrictEqual(before);
  });
});

describe('in mode local', () => {
  it('renders are counted, those from disk and those that fail as well', async () => {
    const local = await startService({ DELIVERY_MODE: 'local' });
    const issuer = await post<{ id: string; key: { secret: string } }>(local, '/issuers', { name: 'Local' });
    const { imageId } = await uploadPictures(local, issuer.id, { image: { public_id: `p_${randomUUID()}` } });
    const token = signWith(issuer.key.secret, { iss: issuer.id, transformations: [{ width: 20 }] });
    const { headers } = await local.get(`/images/${imageId}?token=${token}`);
    const location = headers.location ?? '';
    expect((await getPicture(location)).status).toBe(200);
    expect((await getPicture(location)).status).toBe(200);
    expect((await getPicture(location.replace(/s--.{8}--/, 's--AAAAAAAA--'))).status).toBe(401);
    const lines = await metricsOf(local);
    expect(sumOf(lines, 'pixseal_render_duration_seconds_count')).toBe(1);
    expect(sumOf(lines, 'pixseal_render_duration_seconds_sum')).toBeGreaterThan(0);
    expect(sumOf(lines, 'pixseal_render_cache_requests_total', { result: 'hit' })).toBe(1);
    expect(sumOf(lines, 'pixseal_render_cache_requests_total', { result: 'miss' })).toBe(1);
    expect(sumOf(lines, 'pixseal_render_failures_total', { status: '401' })).toBe(1);
    expect(sumOf(lines, 'pixseal_renders_running')).toBe(0);
    await local.close();
  });
});

describe('with the proxy', () => {
  it('fetches that fail are counted by their problem', async () => {
    // Nothing listens there.
    const upstream = `http://127.0.0.1:${await findFreePort()}`;
    const proxy = await startService({ DELIVERY_MODE: 'cloudinary', PROXY: 'on', PROXY_UPSTREAM: upstream });
    const proxied = await createTenantOf(proxy);
    await proxy.admin('PATCH', `/issuers/${proxied.issuerId}`, { policy: { delivery: 'proxy' } });
    expect((await proxy.get(proxied.path())).status).toBe(502);
    const lines = await metricsOf(proxy);
    expect(sumOf(lines, 'pixseal_upstream_failures_total', { code: 'upstream_failed' })).toBe(1);
    expect(sumOf(lines, 'pixseal_proxied_images_total', { cache: 'miss' })).toBe(1);
    expect(sumOf(lines, 'pixseal_problems_total', { route: ROUTE, code: 'upstream_failed' })).toBe(1);
    expect(sumOf(lines, 'pixseal_redirects_total')).toBe(0);
    await proxy.close();
  });
});

describe.runIf(onServer)('with a Postgres server', () => {
  it('shows that the feed and the database are disconnected, and that both are back', async () => {
    const database = await createTestDatabase();
    const url = database.variables['DATABASE_URL'] ?? '';
    const proxy = await TcpProxy.before(url);
    const cut = await startService({ DATABASE_URL: proxy.urlOf(url) }, database);
    const one = await createTenantOf(cut);
    proxy.refuse();
    proxy.reset();
    await cut.get(one.path());
    await waitUntil('both are disconnected', async () => {
      const lines = await metricsOf(cut);
      return (
        sumOf(lines, 'pixseal_feed_live') === 0 &&
        sumOf(lines, 'pixseal_database_down') === 1 &&
        sumOf(lines, 'pixseal_feed_silence_seconds') > 1
      );
    });
    proxy.restore();
    await waitUntil('both are back', async () => {
      const lines = await metricsOf(cut);
      return sumOf(lines, 'pixseal_feed_live') === 1 && sumOf(lines, 'pixseal_database_down') === 0;
    });
    await cut.close();
    await proxy.close();
    await database.drop();
  });

  it('has the sums of all workers, whichever responds', async () => {
    const database = await createTestDatabase();
    const workers = await startServiceProcess(
      { ...TEST_VARIABLES, ...database.variables, LOG_LEVEL: 'info' },
      ['server/pixseal.js', 'serve', '--workers', '2'],
    );
    const listening = (): number => workers.output().stdout.split('worker listens').length - 1;
    await waitUntil('both listen', () => listening() === 2);
    const name = 'pixseal_problems_total';
    const labels = { route: ROUTE, code: 'invalid_token' };
    // Every request opens a new connection, which the workers get in turn.
    for (let times = 0; times < 6; times += 1)
      await fetch(`${workers.url}/images/${randomUUID()}?token=a.b.c`);
    for (let times = 0; times < 4; times += 1) {
      const lines = await metricsOf(workers);
      expect(sumOf(lines, name, labels)).toBe(6);
      expect(sumOf(lines, 'pixseal_feed_live')).toBe(1);
    }
    workers.kill('SIGTERM');
    expect(await workers.exited).toMatchObject({ code: 0 });
    await database.drop();
  });
});

describe('the files for Prometheus and Grafana', () => {
  /** Every name of a metric in an expression. */
  const namesIn = (expression: string): string[] => [
    ...new Set(expression.match(/\b(?:pixseal|nodejs|process|up)(?:_\w+)?\b(?=[{[)\s]|$)/g) ?? []),
  ];

  interface Rules {
    readonly groups: readonly {
      readonly rules: readonly {
        readonly alert: string;
        readonly expr: string;
        readonly annotations: { readonly summary: string };
      }[];
    }[];
  }
  interface Dashboard {
    readonly panels: readonly {
      readonly id: number;
      readonly title: string;
      readonly targets: readonly { readonly expr: string }[];
    }[];
  }
  const rules = (parse(readFileSync('deploy/prometheus/alerts.yml', 'utf8')) as Rules).groups.flatMap(
    (group) => group.rules,
  );
  const { panels } = JSON.parse(readFileSync('deploy/grafana/pixseal.json', 'utf8')) as Dashboard;

  /** Every name in /metrics, including metrics without a value yet. */
  async function known(): Promise<ReadonlySet<string>> {
    const { text } = await service.get('/metrics', { authorization: `Bearer ${ADMIN_KEY}` });
    const names = [...text.matchAll(/^# TYPE (\S+) (\w+)$/gm)].flatMap(([, name = '', type]) =>
      type === 'histogram' ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name],
    );
    // Prometheus's own.
    return new Set([...names, 'up']);
  }

  it('use existing metrics, and the dashboard has all of them', async () => {
    const metrics = await known();
    const used = [
      ...rules.map(({ expr }) => expr),
      ...panels.flatMap(({ targets }) => targets.map((t) => t.expr)),
    ];
    for (const expression of used) {
      const names = namesIn(expression);
      expect(names).not.toStrictEqual([]);
      for (const name of names) expect(metrics).toContain(name);
    }
    const shown = new Set(panels.flatMap(({ targets }) => targets.flatMap(({ expr }) => namesIn(expr))));
    const own = [...metrics]
      .filter((name) => name.startsWith('pixseal_'))
      .map((name) => name.replace(/_(bucket|sum|count)$/, ''));
    for (const name of own)
      expect(
        [...shown].some((each) => each.startsWith(name)),
        name,
      ).toBe(true);
  });

  // Their errors come from a server that does not exist.
  it.runIf(onServer)('select and group by labels and values that the service has', () => {
    /** Whether a line of one of these metrics has the label, with this value if there is one. */
    const isExposed = (metrics: readonly string[], label: string, word?: string): boolean =>
      received.some(
        ({ name, labels }) =>
          metrics.includes(name) && (word === undefined ? label in labels : labels[label] === word),
      ) ||
      // Not every code can be produced here.
      (label === 'code' && word !== undefined && word in PROBLEMS);
    // Prometheus's own, and a histogram's.
    const others = new Set(['instance', 'job', 'le']);
    for (const { expr } of [...rules, ...panels.flatMap(({ targets }) => targets)]) {
      for (const [, metric = '', matchers = ''] of expr.matchAll(/(\w+)\{([^}]*)\}/g)) {
        for (const [, label = '', words = ''] of matchers.matchAll(/(\w+)=~?"([^"]*)"/g)) {
          if (others.has(label)) continue;
          for (const word of words.split('|'))
            expect([expr, label, word, isExposed([metric], label, word)]).toStrictEqual([
              expr,
              label,
              word,
              true,
            ]);
        }
      }
      for (const [, labels = ''] of expr.matchAll(/\bby \(([^)]*)\)/g)) {
        for (const label of labels.split(', ').filter((each) => !others.has(each)))
          expect([expr, label, isExposed(namesIn(expr), label)]).toStrictEqual([expr, label, true]);
      }
    }
  });

  it.runIf(hasProgram('promtool', 'the alert rules in Prometheus’s own test'))(
    'have alerts, each tested by Prometheus both firing and not firing',
    () => {
      const folder = 'deploy/prometheus';
      const checked = execFileSync('promtool', ['check', 'rules', `${folder}/alerts.yml`], {
        encoding: 'utf8',
      });
      expect(checked).toContain(`SUCCESS: ${rules.length} rules found`);
      execFileSync('promtool', ['test', 'rules', `${folder}/alerts.test.yml`], { stdio: 'pipe' });
      const { tests } = parse(readFileSync(`${folder}/alerts.test.yml`, 'utf8')) as {
        tests: { alert_rule_test: { alertname: string; exp_alerts: unknown[] }[] }[];
      };
      const cases = tests.flatMap(({ alert_rule_test: moments }) => moments);
      for (const fires of [true, false]) {
        const named = cases.filter(({ exp_alerts: alerts }) => alerts.length > 0 === fires);
        expect([...new Set(named.map(({ alertname }) => alertname))].toSorted()).toStrictEqual(
          rules.map(({ alert }) => alert).toSorted(),
        );
      }
    },
  );

  it('have alerts that docs/operations.md explains', () => {
    const operations = readFileSync('docs/operations.md', 'utf8');
    expect(rules.length).toBeGreaterThan(5);
    for (const { alert, annotations } of rules) {
      expect(operations.includes(`\`${alert}\``), alert).toBe(true);
      expect(annotations.summary).toMatch(/\.$/);
    }
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
  });
});
