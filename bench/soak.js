// `npm run soak`: a million distinct tokens, for images and overlays of many issuers and for ids that are nobody's,
// against one process on Postgres, and whether its memory comes to rest. SOAK_SECONDS and SOAK_TOKENS make it shorter.
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import pg from 'pg';
import { load } from './load-client.js';
import { startOwnPostgres } from './pixseal.js';
import { admin, migrate, seal, startReplica } from './service.js';

const SECONDS = Number(process.env.SOAK_SECONDS ?? 600);
const TOKENS = Number(process.env.SOAK_TOKENS ?? 1_000_000);
const CONNECTIONS = 32;
const ISSUERS = 200;
/** More than the directory keeps, so that rows come and go. */
const IMAGES = 100_000;
const OVERLAYS = 20_000;
/** Milliseconds between two samples. */
const SAMPLE = 5_000;
/** Requests until which memory is expected to grow: each image has been asked for by then, and the caches are full. */
const WARM_UP = 1.2 * IMAGES;
/**
 * MB a minute, by which the highest sample of each minute after the warm-up may rise, by their linear fit. The lower
 * ones say when the collector ran, not what is kept: a leak lifts the teeth of the saw, a late collection does not.
 */
const FLAT = 1;
const isNobodys = (number) => number % 20 === 0;
const isForged = (number) => number % 50 === 1;
const isUnknown = (number) => number % 50 === 2;
const statusOf = (number) => (isForged(number) || isUnknown(number) ? 401 : isNobodys(number) ? 404 : 302);

const postgres = await startOwnPostgres();
let replica;
try {
  migrate(postgres.url);
  replica = await startReplica(postgres.url);
  const issuers = await makeRows(replica.port);
  const samples = [];
  const statuses = new Map();
  const started = performance.now();
  let requests = 0;
  const sample = () => {
    samples.push({ at: (performance.now() - started) / 1_000, requests, ...memoryOf(replica.pid) });
  };
  const workload = {
    count: Infinity,
    request: (number) => `GET ${pathOf(issuers, number)} HTTP/1.1\r\nHost: 127.0.0.1:${replica.port}\r\n\r\n`,
    isRight: (number, answer) => {
      const status = Number(answer.slice(9, 12));
      requests += 1;
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
      return status === statusOf(number);
    },
  };
  sample();
  const timer = setInterval(sample, SAMPLE);
  const {
    wrong,
    errors,
    sample: first,
  } = await load({
    port: replica.port,
    connections: CONNECTIONS,
    seconds: SECONDS,
    workload,
    rate: TOKENS / SECONDS,
    sleeps: true,
  });
  clearInterval(timer);
  sample();
  if (wrong + errors > 0) throw new Error(`${wrong} wrong answers and ${errors} errors, the first: ${first}`);
  report(samples, statuses);
} finally {
  await replica?.stop();
  await postgres.stop();
}

/** Issuers by the admin API, for their secrets; images and overlays at once. */
async function makeRows(port) {
  const issuers = [];
  for (let index = 0; index < ISSUERS; index += 1) {
    const { id, key } = await admin(port, 'POST', '/issuers', { name: `Soaked ${index}` });
    issuers.push({ id, secret: key.secret, images: [], overlays: [] });
  }
  const client = new pg.Client({ connectionString: postgres.url });
  await client.connect();
  // A row at a time would be told a row at a time: the rows are there before anybody asks for them.
  await client.query('SET session_replication_role = replica');
  for (const [table, columns, count] of [
    ['images', ', version', IMAGES],
    ['overlays', '', OVERLAYS],
  ]) {
    const { rows } = await client.query(
      `INSERT INTO ${table} (id, issuer_id, public_id${columns})
       SELECT gen_random_uuid(), ($1::uuid[])[1 + n % $2], '${table}/' || n${columns === '' ? '' : ', 1 + n'}
         FROM generate_series(0, $3::int - 1) AS n
       RETURNING id, issuer_id`,
      [issuers.map(({ id }) => id), issuers.length, count],
    );
    const byId = new Map(issuers.map((issuer) => [issuer.id, issuer]));
    for (const row of rows) byId.get(row.issuer_id)?.[table].push(row.id);
  }
  await client.end();
  return issuers;
}

/** A request that was never made before: mostly good, some for ids that nobody has, some with a bad signature. */
function pathOf(issuers, number) {
  const issuer = issuers[number % issuers.length];
  const turn = Math.floor(number / issuers.length);
  const imageId = isNobodys(number) ? randomUUID() : issuer.images[turn % issuer.images.length];
  const token = seal(isForged(number) ? 'nobody’s' : issuer.secret, {
    iss: isUnknown(number) ? randomUUID() : issuer.id,
    jti: `token-${number}`,
    session_id: `session-${number}`,
    ...(number % 3 === 0 ? { image_id: imageId } : {}),
    transformations: [
      { width: 100 + (number % 900), height: 100 + (turn % 900), crop: 'fill' },
      { overlay: issuer.overlays[turn % issuer.overlays.length], opacity: number % 100 },
    ],
  });
  return `/images/${imageId}?token=${token}`;
}

/** Megabytes of a process: resident, and of that private and not of a file, which its heap is part of. */
function memoryOf(pid) {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const read = (name) => Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(status)?.[1]) / 1024;
  return { rss: read('VmRSS'), anonymous: read('RssAnon') };
}

function report(samples, statuses) {
  process.stdout.write('\n| minute | requests | resident, MB | anonymous, MB |\n| --- | --- | --- | --- |\n');
  const step = SECONDS >= 300 ? 60 : SECONDS / 10;
  for (let at = 0; at <= SECONDS; at += step) {
    const { requests, rss, anonymous } = samples.findLast((each) => each.at <= at + 1) ?? samples[0];
    process.stdout.write(
      `| ${(at / 60).toFixed(1)} | ${requests} | ${rss.toFixed(0)} | ${anonymous.toFixed(0)} |\n`,
    );
  }
  const counts = [...statuses].map(([status, count]) => `${count} × ${status}`).join(', ');
  const warm = samples.filter(({ requests }) => requests >= WARM_UP);
  if (warm.length < 2) throw new Error(`The warm-up of ${WARM_UP} requests was not over`);
  const highest = highestOf(warm);
  const slope = slopeOf(highest);
  const sizes = warm.map(({ rss }) => Math.round(rss));
  process.stdout.write(
    `\nanswers: ${counts}\nafter ${WARM_UP} requests: the highest of each minute rise by ${slope.toFixed(2)} MB a minute ` +
      `(${highest.map(({ rss }) => rss.toFixed(0)).join(', ')}); all of ${warm.length} samples are within ` +
      `${Math.min(...sizes)} and ${Math.max(...sizes)} MB: ${slope <= FLAT ? 'flat' : 'NOT flat'}\n`,
  );
}

/** Of each minute the sample with the most. */
function highestOf(samples) {
  const highest = [];
  for (const sample of samples) {
    const minute = Math.floor(Math.min(sample.at, SECONDS - 1) / 60);
    if (!(highest[minute]?.rss >= sample.rss)) highest[minute] = sample;
  }
  return highest.filter(Boolean);
}

/** MB a minute, by least squares. */
function slopeOf(samples) {
  const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const minutes = samples.map(({ at }) => at / 60);
  const sizes = samples.map(({ rss }) => rss);
  const [midTime, midSize] = [mean(minutes), mean(sizes)];
  const above = mean(minutes.map((minute, index) => (minute - midTime) * (sizes[index] - midSize)));
  return above / mean(minutes.map((minute) => (minute - midTime) ** 2));
}
