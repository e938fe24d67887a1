// `npm run bench`: redirects per second beside a bare node:http server that sends the same bytes, in one run.
// Rounds are interleaved and each server has a core of its own, so that the ratio means something on a noisy machine.
import { spawn } from 'node:child_process';
import { createSecretKey } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import autocannon from 'autocannon';
import { SignJWT } from 'jose';

const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 5);
const SECONDS = Number(process.env.BENCH_SECONDS ?? 4);
const CONNECTIONS = 32;
const DISTINCT = 20_000;
const ISSUER = 'cfd3b472-dbba-4089-bce7-f5c1e413b5c1';
const IMAGE = '161400d0-c894-42fd-8100-262361ea91ff';
const TRANSFORMATIONS = [
  {
    width: 200,
    overlay: '3d616b4e-a597-4b23-aa3d-d7de678f0ba6',
    flags: 'tiled',
    miaim: 'hey hey !',
    super_plop: 'test?',
  },
  { width: 101, flags: 'tiled', height: 102, crop: 'fit' },
];

const dataDir = mkdtempSync(join(tmpdir(), 'pixseal-bench-'));
const children = [];
try {
  // A first start makes the database; the second is what an operator sees.
  await (await startPixseal()).stop();
  const pixseal = await startPixseal();
  const { secret, keyId } = await addKey(pixseal.port);
  const key = createSecretKey(Buffer.from(secret));
  const paths = [];
  for (let index = 0; index < DISTINCT; index += 1) {
    const payload = { iss: ISSUER, transformations: TRANSFORMATIONS, sharinpix: {}, jti: String(index) };
    const token = await new SignJWT(payload)
      .setProtectedHeader({ typ: 'JWT', alg: 'HS256', kid: keyId })
      .sign(key);
    paths.push(`/images/${IMAGE}?token=${token}`);
  }
  const answer = await get(pixseal.port, paths[0]);
  const bare = await startBare(answer);
  const idle = { pixseal: residentMemory(pixseal.pid), bare: residentMemory(bare.pid) };

  const rivals = {
    'bare node:http': () => load(bare.port, ['/images/x']),
    'Pixseal, one token': () => load(pixseal.port, [paths[0]]),
    'Pixseal, distinct tokens': () => load(pixseal.port, paths),
    'Pixseal, forged tokens': () =>
      load(
        pixseal.port,
        paths.map((path) => `${path.slice(0, -4)}AAAA`),
        401,
      ),
  };
  const rates = Object.fromEntries(Object.keys(rivals).map((name) => [name, []]));
  for (let round = 0; round <= ROUNDS; round += 1) {
    for (const [name, run] of Object.entries(rivals)) {
      const rate = await run();
      if (round > 0) rates[name].push(rate);
    }
  }

  const limit = median(rates['bare node:http']);
  process.stdout.write(
    `\n| what | redirects/s, median of ${ROUNDS} | spread | to bare node:http |\n| --- | --- | --- | --- |\n`,
  );
  for (const [name, all] of Object.entries(rates)) {
    const spread = `${Math.round(Math.min(...all))} to ${Math.round(Math.max(...all))}`;
    process.stdout.write(
      `| ${name} | ${Math.round(median(all))} | ${spread} | ${(median(all) / limit).toFixed(2)} |\n`,
    );
  }
  process.stdout.write(
    `\nstart to listening, embedded, second start: ${pixseal.startMs} ms\n` +
      `resident memory idle: Pixseal ${idle.pixseal} MB, bare ${idle.bare} MB; ` +
      `after the load: Pixseal ${residentMemory(pixseal.pid)} MB, bare ${residentMemory(bare.pid)} MB\n`,
  );
} finally {
  for (const child of children) child.kill('SIGKILL');
  rmSync(dataDir, { recursive: true, force: true });
}

async function startPixseal() {
  const started = performance.now();
  const child = start(['dist/src/main.js'], {
    DATA_DIR: dataDir,
    PORT: '0',
    DELIVERY_MODE: 'blank',
    LOG_LEVEL: 'silent',
    // All load comes from one address: it is counted, and never refused.
    RATE_LIMIT_ADDRESS: '100000000',
  });
  const line = await firstLine(child, /listening on http:\/\/127\.0\.0\.1:(\d+)/);
  const startMs = Math.round(performance.now() - started);
  return { port: Number(line[1]), pid: child.pid, startMs, stop: () => stop(child) };
}

async function startBare({ location, headers }) {
  const child = start(['bench/bare-server.js', JSON.stringify({ location, headers })], {});
  return { port: Number((await firstLine(child, /^(\d+)$/))[1]), pid: child.pid };
}

/** The server has the first core, this process the others. */
function start(script, variables) {
  const child = spawn('taskset', ['-c', '0', process.execPath, ...script], {
    env: { PATH: process.env.PATH, NODE_ENV: 'production', ...variables },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  return child;
}

async function firstLine(child, pattern) {
  for await (const line of createInterface({ input: child.stdout })) {
    const match = pattern.exec(line);
    if (match !== null) {
      child.stdout.resume();
      return match;
    }
  }
  throw new Error('the server stopped before it listened');
}

async function stop(child) {
  child.kill('SIGTERM');
  await new Promise((resolve) => child.once('exit', resolve));
}

async function addKey(port) {
  const { admin_api_key: adminKey } = JSON.parse(readFileSync(join(dataDir, 'secrets.json'), 'utf8'));
  const answer = await fetch(`http://127.0.0.1:${port}/admin/issuers/${ISSUER}/keys`, {
    method: 'POST',
    headers: { authorization: `Bearer ${adminKey}`, 'content-type': 'application/json' },
    body: '{}',
  });
  const { secret, id } = await answer.json();
  return { secret, keyId: id };
}

function get(port, path) {
  return new Promise((resolve, reject) => {
    request({ port, host: '127.0.0.1', path }, (incoming) => {
      incoming.resume();
      const headers = [];
      for (let index = 0; index < incoming.rawHeaders.length; index += 2) {
        const [name, value] = incoming.rawHeaders.slice(index, index + 2);
        if (!['Date', 'Connection', 'Keep-Alive'].includes(name)) headers.push(name, value);
      }
      if (incoming.statusCode !== 302) reject(new Error(`answered ${incoming.statusCode}`));
      resolve({ location: incoming.headers.location, headers });
    })
      .once('error', reject)
      .end();
  });
}

async function load(port, paths, status = 302) {
  let next = 0;
  const result = await autocannon({
    url: `http://127.0.0.1:${port}`,
    connections: CONNECTIONS,
    duration: SECONDS,
    requests: [
      {
        setupRequest: (request) => {
          next += 1;
          return { ...request, path: paths[next % paths.length] };
        },
      },
    ],
  });
  const counts = Object.entries(result.statusCodeStats ?? {});
  if (counts.length !== 1 || counts[0]?.[0] !== String(status) || result.errors > 0) {
    throw new Error(
      `not every answer was ${status}: ${JSON.stringify(result.statusCodeStats)}, ${result.errors} errors, ${result.timeouts} timeouts, ${result.mismatches}`,
    );
  }
  return result.statusCodeStats[status].count / result.duration;
}

function residentMemory(pid) {
  return Math.round(Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024);
}

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}
