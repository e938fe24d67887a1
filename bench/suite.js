// Every rival under the same load in turn, on one core, for several rounds; the bare server between any two.
import { request } from 'node:http';
import { load } from './load-client.js';
import { findRedis, MAIN, startRedis } from './pixseal.js';
import { insertImages, insertOwnRows } from './rows.js';
import { ALL_CORES, startServer } from './servers.js';
import * as ask from './workloads.js';

const CONNECTIONS = 32;
/** More than any cache holds, and than one round asks for: each comes back only after all others. */
const DISTINCT = Number(process.env.BENCH_TOKENS ?? 200_000);
const WORKING_SET = 1_000;
const COLD_ROWS = 100_000;
const BULK = 100;
/** Seconds before the first round that counts: V8 compiles what is hot. */
const WARM_UP = 3;

/** Settings of production. */
const PRODUCTION = [
  { id: 'off', name: 'logs off' },
  { id: 'shipped', name: 'as shipped (`info`), trusted proxy' },
  { id: 'redis', name: 'rates in Redis, trusted proxy' },
  { id: 'traced', name: '1 % traced, trusted proxy' },
  { id: 'all', name: '`info`, Redis, 1 % traced, trusted proxy' },
];

/** What is measured: a case's server, and what it is asked. */
const CASES = [
  { id: 'bare', name: 'bare `node:http`', server: 'bare', workload: 'constant' },
  { id: 'bare-fastify', name: 'bare Fastify', server: 'bareFastify', workload: 'constant' },
  { id: 'own', name: 'a user’s own: Nest on Express, look-ups, SDK', server: 'own', workload: 'set' },
  { id: 'twin', name: 'its careful twin: Nest on Fastify, LRU, SDK', server: 'twin', workload: 'set' },
  { id: 'one', name: 'Pixseal, one token', server: 'pixseal', workload: 'one' },
  { id: 'set', name: 'Pixseal, working set of 1,000 tokens', server: 'pixseal', workload: 'set' },
  { id: 'one-chain', name: 'Pixseal, distinct tokens of one chain', server: 'pixseal', workload: 'oneChain' },
  {
    id: 'distinct',
    name: 'Pixseal, distinct tokens and chains',
    server: 'pixseal',
    workload: 'distinct',
  },
  { id: 'refused', name: 'Pixseal, refused: distinct forgeries', server: 'pixseal', workload: 'forged' },
  { id: 'public', name: 'Pixseal, a public image without token', server: 'pixseal', workload: 'public' },
  {
    id: 'blank',
    name: 'Pixseal, working set, mode `blank` behind a trusted proxy',
    server: 'blank',
    workload: 'blank',
  },
  ...PRODUCTION.flatMap(({ id, name }) => [
    {
      id: `${id}-set`,
      name: `${name}: one of 1,000 production tokens`,
      server: id,
      workload: 'productionSet',
    },
    { id: `${id}-distinct`, name: `${name}: distinct production tokens`, server: id, workload: 'production' },
  ]),
  {
    id: 'cold',
    name: 'Pixseal, rows not seen before, production tokens',
    server: 'cold',
    workload: 'cold',
  },
  { id: 'bulk-set', name: 'Pixseal, bulk, working set (URLs)', server: 'pixseal', workload: 'bulkSet' },
  { id: 'bulk', name: 'Pixseal, bulk, distinct tokens (URLs)', server: 'pixseal', workload: 'bulk' },
  {
    id: 'bulk-production',
    name: 'Pixseal, bulk, distinct production tokens (URLs)',
    server: 'pixseal',
    workload: 'bulkProduction',
  },
  {
    id: 'workers',
    name: 'Pixseal, working set, `--workers 2` on all cores',
    server: 'workers',
    workload: 'set',
  },
];

export const CASE_IDS = CASES.map(({ id }) => id);

/**
 * @param {Awaited<ReturnType<import('./rows.js').startDatabase>>} database
 * @param {{ only?: string[], rounds: number, seconds: number }} options `only` names cases; `bare` is always among them.
 */
export async function runSuite(database, { only = CASE_IDS, rounds, seconds }) {
  // The bare server is the first.
  const cases = CASES.filter(({ id }) => id === 'bare' || only.includes(id));
  const workloads = await makeWorkloads(database.rows, new Set(cases.map(({ workload }) => workload)));
  const servers = await startServers(database, new Set(cases.map(({ server }) => server)), workloads.one);
  const results = cases.map((entry) => ({
    ...entry,
    workload: workloads[entry.workload],
    server: servers[entry.server],
    rates: [],
    costs: [],
    shares: [],
    /** To the bare server right before and after: how many times its answers a second, and its processor time. */
    toBare: { rate: [], cost: [] },
    memory: 0,
    closed: [],
    open: [],
  }));
  const [bare, ...others] = results;
  const run = async (result) => {
    const measured = await measure(result, { seconds });
    result.rates.push(measured.rate);
    result.costs.push(measured.cost);
    result.shares.push(measured.share);
    result.memory = Math.max(result.memory, measured.memory);
    result.closed.push(measured.latency);
    return measured;
  };
  const runAtHalf = async (result, { rate }) => {
    const half = rate / (result.workload.perRequest ?? 1) / 2;
    result.open.push((await measure(result, { seconds, rate: half })).latency);
  };
  for (const result of results) {
    await measure(result, { seconds: Math.max(seconds, WARM_UP), warmUp: true });
  }
  for (let round = 0; round < rounds; round += 1) {
    let before = await run(bare);
    await runAtHalf(bare, before);
    for (const result of others) {
      const measured = await run(result);
      const after = await run(bare);
      await runAtHalf(result, measured);
      result.toBare.rate.push(measured.rate / mean(before.rate, after.rate));
      result.toBare.cost.push(mean(before.cost, after.cost) / measured.cost);
      before = after;
    }
  }
  for (const server of Object.values(servers)) await server.stop();
  return results;
}

/** One run of a case. @throws when a single answer was wrong; `warmUp` lets them be, the database's own start-up among them. */
export async function measure(
  { name, server, workload },
  { seconds, rate, warmUp = false, connections = workload.connections ?? CONNECTIONS },
) {
  const before = server.processorTime();
  const run = await load({ port: server.port, connections, seconds, workload, rate });
  const processorTime = server.processorTime() - before;
  if (!warmUp && (run.wrong > 0 || run.errors > 0)) {
    throw new Error(`${name}: ${run.wrong} wrong answers, ${run.errors} errors, such as\n${run.sample}`);
  }
  const answers = run.answers * (workload.perRequest ?? 1);
  return {
    rate: answers / run.seconds,
    /** Microseconds of the server's processor for an answer, or a URL of a bulk. */
    cost: (processorTime / answers) * 1e6,
    /** Of one core. */
    share: processorTime / run.seconds,
    memory: server.memory(),
    latency: {
      p50: run.latency.percentile(50) / 1e6,
      p99: run.latency.percentile(99) / 1e6,
      p999: run.latency.percentile(99.9) / 1e6,
    },
  };
}

export async function makeWorkloads(rows, wanted) {
  const distinct = ask.mintDistinct(
    ['distinct', 'forged'].some((id) => wanted.has(id)) ? DISTINCT : WORKING_SET,
  );
  const few = {
    tokens: distinct.tokens.slice(0, WORKING_SET),
    urls: distinct.urls.slice(0, WORKING_SET),
  };
  const production = ask.mintProduction(wanted.has('production') ? DISTINCT : WORKING_SET);
  const fewProduction = {
    tokens: production.tokens.slice(0, WORKING_SET),
    urls: production.urls.slice(0, WORKING_SET),
  };
  if (wanted.has('cold')) await insertImages(rows, 1, COLD_ROWS);
  const makers = {
    one: () => ask.redirects({ tokens: few.tokens.slice(0, 1), urls: few.urls.slice(0, 1) }),
    constant: () => ask.answeredAsFirst(ask.redirects(few)),
    set: () => ask.redirects(few),
    blank: () => ask.blank(few),
    production: () => ask.forwarded(ask.redirects(production)),
    productionSet: () => ask.forwarded(ask.redirects(fewProduction)),
    oneChain: () => ask.redirects(ask.mintOneChain(DISTINCT)),
    distinct: () => ask.redirects(distinct),
    forged: () => ask.forgeries(distinct),
    public: () => ask.publicImages(),
    cold: () => ask.coldImages(COLD_ROWS),
    // Its own: a token that comes a second time is a known one.
    bulk: () => ask.bulk(ask.mintDistinct(DISTINCT, DISTINCT), BULK),
    bulkProduction: () => ask.bulk(ask.mintProduction(DISTINCT, { from: DISTINCT }), BULK),
    bulkSet: () => ask.bulk(few, BULK),
  };
  return Object.fromEntries(
    Object.entries(makers)
      .filter(([id]) => id === 'one' || wanted.has(id))
      .map(([id, make]) => [id, make()]),
  );
}

async function startServers(database, wanted, workload) {
  const { settings } = database;
  const servers = { pixseal: await startPixseal(settings) };
  const answer = await takeAnswer(servers.pixseal.port, workload.request(0).split(' ')[1]);
  const bare = { ANSWER: JSON.stringify(answer) };
  // Bare servers send the one answer, whatever they are asked.
  const others = {
    bare: () => startServer(['bench/rivals/bare.js'], bare),
    bareFastify: () => startServer(['bench/rivals/bare-fastify.js'], bare),
    own: () => startServer(['dist/bench/rivals/nest-express.js'], settings),
    twin: () => startServer(['dist/bench/rivals/nest-fastify.js'], settings),
    // Its own: the others would be measured beside 50,000 rows that nobody asks them for.
    cold: () => startPixseal(settings),
    workers: () => startWorkers(settings),
    blank: () => startPixseal({ ...settings, DELIVERY_MODE: 'blank', TRUST_PROXY: '1' }),
    off: () => startPixseal({ ...settings, ...COUNTED }),
    shipped: () => startPixseal({ ...settings, ...COUNTED, LOG_LEVEL: 'info' }),
    redis: () => startWithRedis({ ...settings, ...COUNTED }),
    traced: () => startTraced({ ...settings, ...COUNTED }),
    all: () => startWithRedis({ ...settings, ...COUNTED, LOG_LEVEL: 'info' }, startTraced),
  };
  if (wanted.has('own') || wanted.has('twin')) await insertOwnRows(database.rows);
  for (const [name, start] of Object.entries(others)) {
    if (wanted.has(name)) servers[name] = await start();
  }
  return servers;
}

export function startPixseal(settings, where) {
  return startServer(MAIN, settings, where);
}

/** Every request is counted by the address that the proxy wrote, and none is refused. */
const COUNTED = { TRUST_PROXY: '1', RATE_LIMIT_ADDRESS: '100000000', RATE_LIMIT_ISSUER: '100000000' };

async function startWithRedis(settings, start = startPixseal) {
  const binary = findRedis();
  if (binary === null) throw new Error('There is no redis-server: install the package redis-server');
  const redis = await startRedis(binary);
  return stopping(await start({ ...settings, REDIS_URL: redis.url }), redis);
}

async function startTraced(settings) {
  const collector = await startServer(['bench/rivals/collector.js'], {}, { cores: ALL_CORES });
  const server = await startPixseal({
    ...settings,
    OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${collector.port}`,
    OTEL_TRACES_SAMPLER: 'parentbased_traceidratio',
    OTEL_TRACES_SAMPLER_ARG: '0.01',
  });
  return stopping(server, collector);
}

/** A server whose end is also that of another one. */
function stopping(server, other) {
  const stop = async () => {
    await server.stop();
    await other.stop();
  };
  return { ...server, stop };
}

async function startWorkers(settings) {
  return startServer(['dist/server/pixseal.js', 'serve', '--workers', '2'], settings, { cores: ALL_CORES });
}

/** The headers, in order and spelling, and the body of an answer: what a bare server sends in its stead. */
export function takeAnswer(port, path) {
  return new Promise((resolve, reject) => {
    request({ port, host: '127.0.0.1', path }, (incoming) => {
      const headers = [];
      for (let index = 0; index < incoming.rawHeaders.length; index += 2) {
        const [name, value] = incoming.rawHeaders.slice(index, index + 2);
        if (!['Date', 'Connection', 'Keep-Alive'].includes(name)) headers.push(name, value);
      }
      if (incoming.statusCode !== 302) reject(new Error(`answered ${incoming.statusCode}`));
      let body = '';
      incoming.setEncoding('utf8').on('data', (text) => (body += text));
      incoming.once('end', () => {
        resolve({ headers, body });
      });
    })
      .once('error', reject)
      .end();
  });
}

const mean = (one, other) => (one + other) / 2;

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}
