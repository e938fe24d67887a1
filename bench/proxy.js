// `npm run measure:proxy`: views of one cached image from Pixseal and from nginx's proxy_cache, in turns on one core, and
// Pixseal's memory under slow clients. Prints rows for docs/proxy.md.
import { execFileSync, spawn } from 'node:child_process';
import { createHash, createHmac, randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, createServer, get } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeRun } from './machine.js';
import { findFreePort, MAIN } from './pixseal.js';
import { leaveServerCore, startServer } from './servers.js';

const VIEWS = 10_000;
const ROUNDS = 3;
const SECONDS = Number(process.env.BENCH_SECONDS ?? 5);
const CONNECTIONS = 16;
const SLOW_CLIENTS = 200;
const KIB = 1024;
const MIB = KIB * KIB;
/** Bytes of the images, by the width that a token requests. */
const IMAGES = {
  1: randomBytes(20 * KIB),
  2: randomBytes(100 * KIB),
  3: randomBytes(MIB),
  4: randomBytes(20 * MIB),
};
const ADMIN_KEY = randomBytes(32).toString('base64url');

leaveServerCore();
const folder = mkdtempSync(join(tmpdir(), 'pixseal-proxy-'));
const host = createServer((request, response) => {
  const bytes = IMAGES[/\/w_(\d)\//.exec(request.url)?.[1] ?? 1];
  const headers = { 'Content-Type': 'image/jpeg', 'Content-Length': bytes.length, ETag: '"a"' };
  response.writeHead(200, { ...headers, 'Cache-Control': 'max-age=86400' }).end(bytes);
});
await new Promise((resolve) => host.listen(0, '127.0.0.1', resolve));
const upstream = `http://127.0.0.1:${host.address().port}`;

const pixseal = await startServer(MAIN, {
  DATA_DIR: join(folder, 'data'),
  CLOUDINARY_URL: 'cloudinary://123456789012345:b5mNqz_Tt0Nn1EaWv9uQyS2xkRg@sadaasdasd',
  ADMIN_API_KEYS: ADMIN_KEY,
  LOG_LEVEL: 'silent',
  RATE_LIMIT_ADDRESS: '0',
  PROXY: 'on',
  PROXY_UPSTREAM: upstream,
});
const nginx = await startNginx();
try {
  const pathOf = await createImage();
  console.log(describeRun('embedded'));
  console.log(
    '| image | bytes equal in 10,000 views | nginx, views a second | Pixseal | ratio | of processor time |',
  );
  console.log('| --- | --- | --- | --- | --- | --- |');
  for (const [width, bytes] of Object.entries(IMAGES).slice(0, 3)) {
    const path = pathOf(width);
    const equal = await countEqual(pixseal.port, path, bytes);
    await countEqual(nginx.port, path, bytes, 1);
    const rounds = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      rounds.push([await load(nginx, path), await load(pixseal, path)]);
    }
    const median = (read) => rounds.map(read).sort((one, other) => one - other)[Math.floor(ROUNDS / 2)];
    const figures = [
      `${bytes.length / KIB} KiB`,
      equal,
      Math.round(median(([one]) => one.views)),
      Math.round(median(([, other]) => other.views)),
      median(([one, other]) => other.views / one.views).toFixed(2),
      median(([one, other]) => one.processorTime / other.processorTime).toFixed(2),
    ];
    console.log(`| ${figures.join(' | ')} |`);
  }
  await measureSlowClients(pathOf(4));
} finally {
  await pixseal.stop();
  nginx.stop();
  host.close();
  host.closeAllConnections();
  rmSync(folder, { recursive: true, force: true });
}

/** An issuer with `delivery: proxy` and an image. @returns The paths of views, by width. */
async function createImage() {
  const issuer = await admin('issuers', { name: 'Proxy', policy: { delivery: 'proxy', base_chain: [] } });
  const image = await admin('images', { issuer_id: issuer.id, public_id: 'photo', version: 1 });
  const encode = (part) => Buffer.from(JSON.stringify(part)).toString('base64url');
  return (width) => {
    const payload = { iss: issuer.id, image_id: image.id, transformations: [{ width: Number(width) }] };
    const signed = `${encode({ typ: 'JWT', alg: 'HS256' })}.${encode(payload)}`;
    const mac = createHmac('sha256', issuer.key.secret).update(signed).digest('base64url');
    return `/images/${image.id}?token=${signed}.${mac}`;
  };
}

async function admin(path, body) {
  const response = await fetch(`http://127.0.0.1:${pixseal.port}/admin/${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${ADMIN_KEY}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  return response.json();
}

/** nginx with the same cache before Pixseal itself, on the servers' core. */
async function startNginx() {
  const port = await findFreePort();
  const root = join(folder, 'nginx');
  mkdirSync(root);
  writeFileSync(
    join(root, 'nginx.conf'),
    `daemon off; master_process off; worker_processes 1; pid ${root}/pid; error_log ${root}/error.log;
events { worker_connections 1024; }
http {
  access_log off; sendfile on; keepalive_requests 1000000;
  client_body_temp_path ${root}/b; proxy_temp_path ${root}/t; fastcgi_temp_path ${root}/f; uwsgi_temp_path ${root}/u; scgi_temp_path ${root}/s;
  proxy_cache_path ${root}/cache levels=1:2 keys_zone=images:10m max_size=1g use_temp_path=off;
  server {
    listen 127.0.0.1:${port} reuseport;
    location / {
      proxy_pass http://127.0.0.1:${pixseal.port};
      proxy_cache images; proxy_cache_valid 200 1h;
      proxy_ignore_headers Cache-Control Vary Expires;
    }
  }
}
`,
  );
  const child = spawn('taskset', ['-c', '0', 'nginx', '-p', root, '-c', join(root, 'nginx.conf')], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  while (!(await answers(port))) await sleep(20);
  return {
    port,
    pid: child.pid,
    processorTime: () => processorTime(child.pid),
    stop: () => child.kill('SIGTERM'),
  };
}

function answers(port) {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => resolve(true));
    socket.on('error', () => resolve(false)).on('connect', () => socket.destroy());
  });
}

/** Seconds. */
function processorTime(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** Reads an image many times. @returns How many views had its bytes. */
async function countEqual(port, path, bytes, views = VIEWS) {
  const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });
  const expected = createHash('sha1').update(bytes).digest('hex');
  let equal = 0;
  let left = views;
  const view = async () => {
    while (left-- > 0) if ((await digest(agent, port, path)) === expected) equal += 1;
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, view));
  agent.destroy();
  return equal;
}

function digest(agent, port, path) {
  return new Promise((resolve, reject) => {
    const hash = createHash('sha1');
    get({ agent, port, host: '127.0.0.1', path }, (response) => {
      response.on('data', (chunk) => hash.update(chunk)).on('error', reject);
      response.on('end', () => resolve(hash.digest('hex')));
    }).on('error', reject);
  });
}

/** Views a second, and seconds of processor time for each. */
async function load(server, path) {
  const before = server.processorTime();
  const output = execFileSync(
    'wrk',
    ['-t1', `-c${CONNECTIONS}`, `-d${SECONDS}s`, `http://127.0.0.1:${server.port}${path}`],
    { encoding: 'utf8' },
  );
  const spent = server.processorTime() - before;
  const [, count] = /(\d+) requests in/.exec(output) ?? [];
  const [, views] = /Requests\/sec:\s+([\d.]+)/.exec(output) ?? [];
  if (/Non-2xx|Socket errors/.test(output)) throw new Error(output);
  return { views: Number(views), processorTime: spent / Number(count) };
}

/** Pixseal's memory and descriptors while many clients read 20 MiB at 16 KiB a second, and after they have left. */
async function measureSlowClients(path) {
  await digest(undefined, pixseal.port, path);
  await sleep(2_000);
  const descriptors = () => readdirSync(`/proc/${pixseal.pid}/fd`).length;
  const before = { memory: pixseal.memory(), descriptors: descriptors() };
  const clients = Array.from({ length: SLOW_CLIENTS }, () => {
    const socket = connect(pixseal.port, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`);
    const timer = setInterval(() => socket.read(16 * KIB), 1_000);
    socket.once('close', () => clearInterval(timer));
    return socket;
  });
  let most = 0;
  let open = 0;
  for (const end = performance.now() + 30_000; performance.now() < end; await sleep(200)) {
    most = Math.max(most, pixseal.memory());
    open = Math.max(open, descriptors());
  }
  for (const client of clients) client.destroy();
  await sleep(2_000);
  console.log(
    `${SLOW_CLIENTS} clients that read 20 MiB at 16 KiB a second for 30 s: ${before.memory.toFixed(0)} MiB before, ` +
      `${most.toFixed(0)} MiB at most; descriptors ${before.descriptors} before, ${open} at most, ${descriptors()} after`,
  );
}

function sleep(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
