// `npm run measure:scale`: what replicas cost one Postgres, and how long a revocation takes to the last of them; writes
// the tables and the plot of docs/scale.md. With `-- --dry` it prints them and writes nothing.
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Agent } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { load } from './load-client.js';
import { describeRun } from './machine.js';
import { startOwnPostgres } from './pixseal.js';
import { drawLines } from './plots.js';
import { table, writeSection } from './report.js';
import { ASSUMED, fewest, fitLine, peakRate, predict, processesNeeded } from './scale-model.js';
import { processorTime } from './servers.js';
import { admin, ask, migrate, seal, startReplica } from './service.js';
import { median } from './suite.js';

const REPLICAS = readNumbers(process.env.SCALE_REPLICAS ?? '1,5,10,20,30');
const LISTENERS = readNumbers(process.env.SCALE_LISTENERS ?? '30,100,200,500,1000');
const REVOCATIONS = Number(process.env.SCALE_REVOCATIONS ?? 60);
/** Replicas, or listeners, of the model's table. */
const MODELLED = [10, 30, 100, 200, 300, 500, 1_000];
const CHANNEL = 'pixseal_changes';
/** Milliseconds after which a replica takes its feed for lost: `HEARTBEAT_TIMEOUT` in `feed-connection.ts`. */
const LATE = 600;
const WRITERS = 8;
const IN_FLIGHT = 32;
const IMAGES = 60_000;
const MANY_REVOCATIONS = 9_000;
/** A replica's output is discarded. */
const AS_SHIPPED = { LOG_LEVEL: 'info' };

const BENCH_NAME = 'pixseal bench';
const PLOT = 'scale';

const { values: options } = parseArgs({ options: { dry: { type: 'boolean', default: false } } });
const maxConnections = Math.max(...LISTENERS) + 13 * Math.max(...REPLICAS) + 50;
const postgres = await startOwnPostgres(['-c', 'fsync=on', '-c', `max_connections=${maxConnections}`]);
const replicas = [];
const agents = [];
let results;
// If a signal ends the bench.
const abandon = () => {
  for (const { pid } of replicas) process.kill(pid);
  void postgres.stop();
};
process.once('exit', abandon);
try {
  migrate(postgres.url);
  const server = await openServer(postgres);
  const fixture = await createFixture(server);
  const lookUps = await measureLookUps(server, fixture);
  const replicaRows = [];
  for (const count of REPLICAS) replicaRows.push(await measureReplicas(server, fixture, count));
  const idle = await measureIdle(server, replicas.length);
  await stopReplicas();
  const listenerRows = await measureListeners(server, idle);
  results = { version: server.version, lookUps, replicaRows, idle, listenerRows };
  await server.close();
} finally {
  await stopReplicas();
  process.off('exit', abandon);
  await postgres.stop();
}
report(results);

/** The server, seen from outside: its processes and their processor time. */
async function openServer({ url, socketFolder }) {
  const client = await connectTo(url);
  const [{ server_version: version }] = (await client.query('SHOW server_version')).rows;
  const postmaster = Number(
    readFileSync(join(socketFolder, 'data/postmaster.pid'), 'utf8').split('\n', 1)[0],
  );
  /**
   * Seconds of processor that the server uses meanwhile. Processes that start or end meanwhile do not count.
   * @param {() => Promise<unknown>} work
   */
  const processorDuring = async (work) => {
    const children = readFileSync(`/proc/${postmaster}/task/${postmaster}/children`, 'utf8')
      .trim()
      .split(' ');
    const processes = [postmaster, ...children];
    const before = processes.map(scheduledTime);
    await work();
    return processes.reduce((total, pid, index) => {
      const after = scheduledTime(pid);
      return after === null || before[index] === null ? total : total + after - before[index];
    }, 0);
  };
  return {
    url,
    client,
    version: version.split(' ')[0],
    processorDuring,
    /** Runs a statement whose rows are neither notified nor recorded. */
    withoutTriggers: async (text, values) => {
      await client.query(`SET session_replication_role = replica`);
      const result = await client.query(text, values);
      await client.query(`SET session_replication_role = origin`);
      return result;
    },
    /** The processes of the replicas' connections. */
    connections: async () => {
      const { rows } = await client.query(
        `SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND application_name <> $1`,
        [BENCH_NAME],
      );
      return rows.map(({ pid }) => pid);
    },
    close: () => client.end(),
  };
}

/**
 * Seconds; null for a process that ended. Of a process with one thread, as Postgres has them: more precise than the
 * ticks of `stat`, each of which is 10 ms.
 */
function scheduledTime(pid) {
  try {
    return Number(readFileSync(`/proc/${pid}/schedstat`, 'utf8').split(' ')[0]) / 1e9;
  } catch {
    return null;
  }
}

/** An issuer with images and an overlay, and the first replica. */
async function createFixture({ url, client, withoutTriggers }) {
  replicas.push(await startReplica(url, AS_SHIPPED));
  agents.push(new Agent({ keepAlive: true, maxSockets: 1 }));
  const { port } = replicas[0];
  const { id, key } = await admin(port, 'POST', '/issuers', { name: 'Measured' });
  const image = await admin(port, 'POST', '/images', { issuer_id: id, public_id: 'measured', version: 1 });
  const overlay = await admin(port, 'POST', '/overlays', { issuer_id: id, public_id: 'mark' });
  const { rows } = await withoutTriggers(
    `INSERT INTO images (id, issuer_id, public_id, version)
     SELECT gen_random_uuid(), $1, 'image-' || n, 1 FROM generate_series(1, $2::int) AS n RETURNING id`,
    [id, IMAGES],
  );
  await client.query(`VACUUM ANALYZE`);
  const steps = [
    { overlay: overlay.id, width: 200, flags: 'tiled' },
    { width: 400, height: 300, crop: 'fit' },
  ];
  const expires = Math.floor(Date.now() / 1_000) + 86_400;
  const pathOf = (imageId, claims) =>
    `/images/${imageId}?token=${seal(key.secret, { iss: id, exp: expires, transformations: steps, ...claims })}`;
  return { issuerId: id, imageId: image.id, images: rows.map((row) => row.id), pathOf };
}

/** What one replica and the server do for a cached redirect, and for one whose image is not cached. */
async function measureLookUps(server, { issuerId, imageId, images, pathOf }) {
  const [replica] = replicas;
  const cached = Array.from({ length: 1_000 }, () =>
    pathOf(imageId, { image_id: imageId, jti: randomUUID() }),
  );
  await run(replica, cached, 2);
  const redirect = await run(replica, cached, 2);
  const [, query] = pathOf(imageId, {}).split('?');
  const paths = images.map((id) => `/images/${id}?${query}`);
  // V8 compiles what is hot.
  await run(replica, paths.splice(0, 5_000), 0.5);
  const single = paths.splice(0, 15_000);
  let cold;
  const measureCold = async (some, seconds, inFlight) => {
    const processor = await server.processorDuring(async () => {
      cold = await run(replica, some, seconds, inFlight);
    });
    if (cold.responses > some.length) throw new Error(`${IMAGES} images are too few`);
    return processor / cold.responses;
  };
  const lookUp = await measureCold(single, 2, 1);
  const coldRedirect = cold.processor / cold.responses;
  const batchedLookUp = await measureCold(paths, 1.5, IN_FLIGHT);
  const connections = await server.connections();
  const memory = memoryOf(connections);

  const revoke = () => admin(replica.port, 'POST', `/issuers/${issuerId}/revocations`, { jti: randomUUID() });
  const [path] = cached;
  const costOfRevocations = () =>
    server.processorDuring(async () => {
      for (let index = 0; index < 20; index += 1) {
        await revoke();
        await expectStatus(replica, path, 302);
      }
    });
  const few = (await costOfRevocations()) / 20;
  await server.withoutTriggers(
    `INSERT INTO revocations (id, issuer_id, kind, value)
     SELECT gen_random_uuid(), $1, 'token', gen_random_uuid() FROM generate_series(1, $2::int)`,
    [issuerId, MANY_REVOCATIONS],
  );
  const many = (await costOfRevocations()) / 20;
  await server.withoutTriggers(`DELETE FROM revocations`);
  await server.client.query(`VACUUM revocations`);
  return {
    redirect: redirect.processor / redirect.responses,
    coldRedirect,
    lookUp,
    batchedLookUp,
    connections: connections.length,
    /** MiB of a connection's process. */
    memory,
    /** Of the server, for reading a long list of revocations again. */
    longList: many - few,
  };
}

/** Requests the paths in turn, so many at a time. @throws if one is not redirected. */
async function run({ port, pid }, paths, seconds, inFlight = IN_FLIGHT) {
  const before = processorTime(pid);
  const workload = {
    count: paths.length,
    request: (index) => `GET ${paths[index]} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`,
    isRight: (_, response) => response.startsWith('HTTP/1.1 302 '),
  };
  const { answers, wrong, errors, sample } = await load({ port, connections: inFlight, seconds, workload });
  if (wrong > 0 || errors > 0) throw new Error(`${wrong} wrong responses, ${errors} errors: ${sample}`);
  return { responses: answers, processor: processorTime(pid) - before };
}

/** Brings the replicas to this count; how long revocations take, and what they and other changes cost the server. */
async function measureReplicas(server, fixture, count) {
  while (replicas.length < count) {
    const batch = Array.from({ length: Math.min(4, count - replicas.length) }, () =>
      startReplica(server.url, AS_SHIPPED),
    );
    for (const replica of await Promise.all(batch)) {
      replicas.push(replica);
      agents.push(new Agent({ keepAlive: true, maxSockets: 1 }));
    }
  }
  await sleep(1_000);
  const idleCores = (await server.processorDuring(() => sleep(3_000))) / 3;
  const change = await costOfChange(server, fixture.images[0], count, idleCores);
  const rounds = [];
  const delays = [];
  let taken = 0;
  const processor = await server.processorDuring(async () => {
    const started = performance.now();
    for (let index = 0; index < REVOCATIONS; index += 1) {
      const { round, refusedAfter } = await revokeOnce(fixture);
      rounds.push(round);
      delays.push(refusedAfter);
    }
    taken = (performance.now() - started) / 1_000;
  });
  const lasts = delays.map((each) => Math.max(...each));
  progress(`${count} replicas: a revocation reaches the last in ${median(lasts).toFixed(1)} ms`);
  return {
    count,
    round: median(rounds),
    middle: median(delays.flat()),
    last: median(lasts),
    latest: Math.max(...lasts),
    idleCores,
    change,
    revocation: (processor - idleCores * taken) / REVOCATIONS,
  };
}

/** Revokes a token that every replica has cached, and requests it from each until the first 401. */
async function revokeOnce({ issuerId, imageId, pathOf }) {
  const jti = randomUUID();
  const path = pathOf(imageId, { image_id: imageId, jti });
  const askAll = () => Promise.all(replicas.map((replica, which) => expectStatus(replica, path, 302, which)));
  // A decision is cached when its token comes a second time.
  await askAll();
  await askAll();
  const roundStarted = performance.now();
  await askAll();
  const round = performance.now() - roundStarted;
  await admin(replicas[0].port, 'POST', `/issuers/${issuerId}/revocations`, { jti });
  const revokedAt = performance.now();
  const refusedAfter = await Promise.all(
    replicas.map(async ({ port }, which) => {
      for (;;) {
        const { status } = await ask({ port, path, agent: agents[which] });
        if (status === 401) return performance.now() - revokedAt;
        if (status !== 302) throw new Error(`a redirect returned ${status}`);
      }
    }),
  );
  return { round, refusedAfter };
}

async function expectStatus({ port }, path, expected, which = 0) {
  const { status, text } = await ask({ port, path, agent: agents[which] });
  if (status !== expected) throw new Error(`a redirect returned ${status} ${text}`);
}

/** Seconds of the server's processor for a changed row, with so many listeners. */
function costOfChange(server, imageId, listeners, idleCores = 0) {
  const statement = `UPDATE images SET version = version + 1 WHERE id = '${imageId}'`;
  return costOfStatement(server, statement, listeners, idleCores);
}

/**
 * The median of three batches, at a pace that leaves the listeners time to be idle again.
 * @param idleCores What the server uses without it.
 */
async function costOfStatement(server, statement, listeners, idleCores = 0) {
  const count = listeners < 500 ? 20 : 8;
  const costs = [];
  for (let batch = 0; batch < 3; batch += 1) {
    const started = performance.now();
    const processor = await server.processorDuring(async () => {
      for (let index = 0; index < count; index += 1) {
        await server.client.query(statement);
        await sleep(10 + listeners / 10);
      }
    });
    const seconds = (performance.now() - started) / 1_000;
    costs.push(Math.max(0, processor - idleCores * seconds) / count);
  }
  return median(costs);
}

/**
 * What idle replicas send, from samples of their sessions' last statements. Postgres's own counters arrive up to ten
 * seconds late, with what was sent before.
 */
async function measureIdle({ client }, count) {
  const seen = new Map();
  const [{ now }] = (await client.query('SELECT clock_timestamp()::text AS now')).rows;
  const started = performance.now();
  while (performance.now() - started < 6_000) {
    const { rows } = await client.query(
      `SELECT pid, query, query_start::text AS at FROM pg_stat_activity
       WHERE application_name LIKE 'pixseal%' AND application_name <> $1 AND query_start > $2`,
      [BENCH_NAME, now],
    );
    for (const { pid, query, at } of rows) seen.set(`${pid} ${at}`, query);
    await sleep(40);
  }
  const perReplica = count * ((performance.now() - started) / 1_000);
  const texts = [...seen.values()];
  const counts = new Map();
  for (const text of texts) counts.set(text, (counts.get(text) ?? 0) + 1);
  const [[text] = ['nothing']] = [...counts].toSorted(([, one], [, other]) => other - one);
  return { statements: texts.length / perReplica, text };
}

/** Connections that listen as replicas do, without the replicas: their cost to the server. */
async function measureListeners(server, idle) {
  const clients = [];
  const writers = await Promise.all(Array.from({ length: WRITERS }, () => connectTo(server.url)));
  const images = (await server.client.query(`SELECT id FROM images LIMIT $1`, [WRITERS + 1])).rows;
  const rows = [];
  try {
    for (const count of LISTENERS) {
      while (clients.length < count) {
        const batch = Array.from({ length: Math.min(20, count - clients.length) }, () =>
          connectTo(server.url),
        );
        for (const client of await Promise.all(batch)) {
          clients.push(client);
          client.number = clients.length;
          await client.query(`LISTEN ${CHANNEL}; LISTEN ${ownChannel(client)}`);
        }
      }
      await sleep(500);
      const notify = await costOfStatement(server, `SELECT pg_notify('unused', '1')`, count);
      const change = await costOfChange(server, images[WRITERS].id, count);
      const { rate, processor } = await saturate(server, writers, images);
      const heartbeats = await beat(server, clients, idle);
      const memory = memoryOf(await pidsOf(clients.slice(0, 20)));
      rows.push({ count, notify, change, rate, processor, heartbeats, memory });
      progress(
        `${count} listeners: a change costs ${(1e3 * change).toFixed(2)} ms of the server's processor`,
      );
    }
  } finally {
    await Promise.all([...clients, ...writers].map((client) => client.end()));
  }
  return rows;
}

function ownChannel({ number }) {
  return `pixseal_heartbeat_${number}`;
}

/** Changes of rows as fast as the server takes them. */
async function saturate(server, writers, images) {
  const end = performance.now() + 1_500;
  const started = performance.now();
  let changes = 0;
  const processor = await server.processorDuring(() =>
    Promise.all(
      writers.map(async (writer, which) => {
        while (performance.now() < end) {
          await writer.query(`UPDATE images SET version = version + 1 WHERE id = '${images[which].id}'`);
          changes += 1;
        }
      }),
    ),
  );
  return { rate: (1_000 * changes) / (performance.now() - started), processor: processor / changes };
}

/** Heartbeats of all listeners at once, as an idle replica sends them. */
async function beat(server, clients, { statements: rate, text }) {
  const period = 1_000 / rate;
  const times = [];
  let ended = false;
  const loops = clients.map(async (client) => {
    await sleep(Math.random() * period);
    while (!ended) {
      const sentAt = performance.now();
      await client.query(text);
      const took = performance.now() - sentAt;
      times.push(took);
      await sleep(Math.max(0, period - took));
    }
  });
  await sleep(2 * period);
  times.length = 0;
  const started = performance.now();
  const processor = await server.processorDuring(() => sleep(3_000));
  const seconds = (performance.now() - started) / 1_000;
  ended = true;
  const sent = times.length / seconds;
  // Those under way too: of a server that is behind, they are the slowest.
  await Promise.all(loops);
  return { sent, due: clients.length * rate, cores: processor / seconds, slowest: Math.max(...times) };
}

async function pidsOf(clients) {
  const results = await Promise.all(clients.map((client) => client.query('SELECT pg_backend_pid() AS pid')));
  return results.map(({ rows }) => rows[0].pid);
}

/** Mean MiB of these processes: their own pages, and their part of the shared ones. */
function memoryOf(pids) {
  const sizes = pids.map((pid) =>
    Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1]),
  );
  return sizes.reduce((total, size) => total + size, 0) / sizes.length / 1_024;
}

async function stopReplicas() {
  for (const agent of agents.splice(0)) agent.destroy();
  await Promise.all(replicas.splice(0).map((replica) => replica.stop()));
}

async function connectTo(url) {
  const client = new pg.Client({ connectionString: url, application_name: BENCH_NAME });
  // At any time: an `error` event without a listener ends the process.
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

function readNumbers(text) {
  return text.split(',').map(Number);
}

function progress(text) {
  process.stdout.write(`${text}\n`);
}

function report({ version, lookUps, replicaRows, idle, listenerRows }) {
  const constants = {
    redirect: lookUps.redirect,
    lookUp: lookUps.lookUp,
    heartbeat: median(listenerRows.map(({ heartbeats }) => heartbeats.cores / heartbeats.sent)),
    change: fitLine(listenerRows.map(({ count, change }) => ({ x: count, y: change }))),
    statements: idle.statements,
    backendMemory: lookUps.memory,
  };
  const limits = limitsOf(constants, listenerRows);
  const sections = {
    run: describeRun(version),
    replicas: replicasTable(replicaRows),
    listeners: listenersTable(listenerRows),
    constants: constantsTable(constants, lookUps, idle),
    model: [modelTable(constants), `![Cores of Postgres by replicas](performance/${PLOT}.svg)`].join('\n\n'),
    limits: [
      table(
        ['limit', 'reached at replicas', 'what takes over'],
        limits.map(({ at, what, then }) => [what, writeCount(at), then]),
      ),
      describeListen(constants),
    ].join('\n\n'),
  };
  for (const [name, text] of Object.entries(sections)) {
    process.stdout.write(`\n${name}\n\n${text}\n`);
    if (!options.dry) writeSection(name, text, 'scale.md');
  }
  if (!options.dry) drawModel(constants, listenerRows);
}

/** Whether no replica would have lost its feed. */
function isInTime({ heartbeats }) {
  return heartbeats.slowest <= LATE;
}

/** Where the model, or a measurement, exceeds what a server has; the first limit first. */
function limitsOf(constants, listenerRows) {
  const { maxConnections: defaultConnections, reservedConnections, serverCores } = ASSUMED;
  const reached = (/** @type {Parameters<typeof fewest>[1]} */ isTrue) => fewest(constants, isTrue);
  const late = listenerRows.find((row) => !isInTime(row));
  const heartbeat = 'one listener for each host or region, which relays changes';
  const relay =
    'a relay: one process listens and publishes to Redis pub/sub or NATS, and the replicas subscribe there';
  return [
    {
      what: `connections, if all pools are full, exceed the default \`max_connections\` of ${defaultConnections}`,
      at: reached(({ connections }) => connections > defaultConnections - reservedConnections),
      then: 'a higher `max_connections`; then PgBouncer for look-ups, and one direct connection for each process that listens',
    },
    {
      what: 'connections, if all pools are full, exceed 1,000',
      at: reached(({ connections }) => connections > 1_000),
      then: 'PgBouncer for look-ups, and one direct connection for each process that listens',
    },
    {
      what: `look-ups use one core of the server, with ${writeCount(ASSUMED.images)} images in use`,
      at: reached(({ cores }) => cores.lookUps > 1),
      then: 'fewer processes for the same load, or a load balancer that sends an image to the same few replicas (by a hash of the path); then read replicas',
    },
    {
      what: `look-ups use one core of the server, with ${writeCount(ASSUMED.fewImages)} images in use`,
      at: reached(({ cores }) => cores.fewLookUps > 1),
      then: 'the same',
    },
    {
      what: 'heartbeats use one core of the server',
      at: reached(({ cores }) => cores.heartbeats > 1),
      then: heartbeat,
    },
    {
      what: `${ASSUMED.changes} changes a second use one core of the server`,
      at: reached(({ cores }) => cores.changes > 1),
      then: relay,
    },
    {
      what: `all together use half of a server of ${serverCores} cores`,
      at: reached(({ cores }) => cores.all > serverCores / 2),
      then: 'the above, in this order; then regions with a Postgres each',
    },
    ...(late === undefined
      ? []
      : [
          {
            what: `heartbeats take over ${LATE} ms, measured on this machine’s cores, so that all replicas lose the feed`,
            at: late.count,
            then: heartbeat,
          },
        ]),
  ].toSorted((one, other) => one.at - other.at);
}

/** How many replicas the change feed alone carries. */
function describeListen(constants) {
  const half = ASSUMED.serverCores / 2;
  const feed = fewest(constants, ({ cores }) => cores.heartbeats + cores.changes > half);
  return `Alone, with ${ASSUMED.changes} changes a second, the change feed reaches half of a server of ${ASSUMED.serverCores} cores at ${writeCount(feed)} replicas.`;
}

function replicasTable(rows) {
  return table(
    [
      'replicas',
      'a request to each, ms',
      '201 to the first 401, median replica, ms',
      'last replica: median, ms',
      'last replica: maximum, ms',
      'server, idle: % of a core',
      'server, for a changed row: ms of processor',
      'server, for a revocation that all look up: ms of processor',
    ],
    rows.map(({ count, round, middle, last, latest, idleCores, change, revocation }) => [
      String(count),
      ...[round, middle, last, latest].map((time) => time.toFixed(1)),
      (100 * idleCores).toFixed(1),
      (1e3 * change).toFixed(2),
      (1e3 * revocation).toFixed(2),
    ]),
  );
}

function listenersTable(rows) {
  const milliseconds = (/** @type {number} */ seconds) => (1e3 * seconds).toFixed(2);
  return table(
    [
      'listeners',
      'a notification that none receives: ms of processor',
      'a changed row: ms of processor',
      `changed rows/s by ${WRITERS} writers`,
      'ms of processor for each',
      'heartbeats/s: sent of due',
      'their slowest, ms',
      'cores for them',
      'MiB of a listener’s process',
    ],
    rows.map(({ count, notify, change, rate, processor, heartbeats, memory }) => [
      writeCount(count),
      milliseconds(notify),
      milliseconds(change),
      writeCount(rate),
      milliseconds(processor),
      `${writeCount(heartbeats.sent)} of ${writeCount(heartbeats.due)}`,
      heartbeats.slowest.toFixed(0),
      heartbeats.cores.toFixed(2),
      memory.toFixed(1),
    ]),
  );
}

function constantsTable(constants, lookUps, idle) {
  const microseconds = (/** @type {number} */ seconds) => `${(1e6 * seconds).toFixed(0)} µs`;
  const writeLine = (/** @type {import('./scale-model.js').Line} */ { fixed, each }) =>
    `${microseconds(fixed)} + ${(1e6 * each).toFixed(1)} µs × N`;
  return table(
    ['constant', 'measured'],
    [
      ['`r`: processor of a replica for a cached redirect, as shipped', microseconds(constants.redirect)],
      [
        'processor of a replica for a redirect whose image is not cached, one request at a time',
        microseconds(lookUps.coldRedirect),
      ],
      ['`s`: processor of the server for that look-up', microseconds(constants.lookUp)],
      [`the same with ${IN_FLIGHT} requests at a time`, microseconds(lookUps.batchedLookUp)],
      ['`b`: processor of the server for a heartbeat', microseconds(constants.heartbeat)],
      ['`c(N)`: processor of the server for a changed row', writeLine(constants.change)],
      ['`h`: statements of an idle replica', `${idle.statements.toFixed(2)}/s`],
      ['what an idle replica sends', `\`${idle.text}\``],
      [`connections of a replica after ${IN_FLIGHT} such requests at a time`, String(lookUps.connections)],
      ['memory of a connection’s process', `${constants.backendMemory.toFixed(1)} MiB`],
      [
        `processor of the server for one replica that reads ${MANY_REVOCATIONS} revocations of an issuer again, which each revocation causes`,
        microseconds(lookUps.longList),
      ],
    ],
  );
}

function modelTable(constants) {
  const counts = [...new Set([Math.max(2, processesNeeded(constants)), ...MODELLED])].toSorted(
    (a, b) => a - b,
  );
  const [many, few] = [ASSUMED.images, ASSUMED.fewImages].map(writeCount);
  const heads = [
    'replicas',
    'redirects/s of each',
    `look-ups/s, ${many} images`,
    `look-ups/s, ${few} images`,
    'connections, at most',
    'their memory, GiB',
    `cores: look-ups, ${many} images`,
    `look-ups, ${few} images`,
    'heartbeats',
    'changes',
  ];
  const rows = counts.map((count) => {
    const { redirects, lookUps, fewLookUps, connections, memory, cores } = predict(constants, count);
    return [
      ...[count, redirects, lookUps, fewLookUps, connections].map(writeCount),
      (memory / 1_024).toFixed(1),
      ...[cores.lookUps, cores.fewLookUps, cores.heartbeats, cores.changes].map((share) => share.toFixed(2)),
    ];
  });
  return [
    `${writeCount(peakRate())} redirects/s at the peak need ${processesNeeded(constants)} processes at ${100 * ASSUMED.share} % of a core each.`,
    table(heads, rows),
  ].join('\n\n');
}

/** On a square root's scale, on which what grows with the square is a straight line. */
function drawModel(constants, listenerRows) {
  const series = {
    heartbeats: (cores) => cores.heartbeats,
    [`look-ups, ${writeCount(ASSUMED.images)} images`]: (cores) => cores.lookUps,
    [`look-ups, ${writeCount(ASSUMED.fewImages)} images`]: (cores) => cores.fewLookUps,
    [`${ASSUMED.changes} changes a second`]: (cores) => cores.changes,
  };
  const counts = [1, 3, 10, 30, 60, 100, 200, 300, 500, 700, 1_000];
  const points = Object.entries(series).flatMap(([name, take]) =>
    counts.map((count) => ({ series: name, x: count, y: take(predict(constants, count).cores) })),
  );
  const measured = listenerRows.map(({ count, heartbeats }) => ({
    series: 'measured: heartbeats',
    x: count,
    y: heartbeats.cores,
  }));
  const all = [...points, ...measured];
  const highest = Math.max(...all.map(({ y }) => y));
  drawLines(PLOT, {
    title: 'Cores of Postgres at a billion redirects a day',
    x: {
      type: 'sqrt',
      label: 'replicas',
      ticks: [1, 10, 30, 100, 200, 300, 500, 700, 1_000],
      tickFormat: 'd',
    },
    y: {
      type: 'sqrt',
      label: 'cores',
      ticks: [0, 0.1, 0.5, 1, 2, 4, 8, 16, 32, 64, 128].filter((tick) => tick <= highest),
      tickFormat: '~r',
    },
    points: all,
  });
}

function writeCount(count) {
  return Number.isFinite(count) ? Math.round(count).toLocaleString('en-US') : 'over 10,000';
}
