// `npm run bench:renderer`: mode `local` beside ipx, another image server on the same sharp. Both run in this run, and
// requests alternate, so that a ratio compares neighbours. Writes a table into docs/performance.md.
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { cpus, release, tmpdir } from 'node:os';
import { join } from 'node:path';
import { v2 as cloudinary } from 'cloudinary';
import sharp from 'sharp';
import { findFreePort, MAIN } from './pixseal.js';
import { CLOUD, startDatabase } from './rows.js';
import { median } from './suite.js';

const PAIRS = Number(process.env.BENCH_PAIRS ?? 12);
const SECONDS = Number(process.env.BENCH_SECONDS ?? 3);
/** Renders by both before the first pair: code is compiled, threads have started. */
const WARM_UP = 30;
const CLIENTS = 16;
const SIZES = { 12: [4000, 3000], 1: [1152, 864] };
/**
 * Rows: the name, the chain, the extension, and ipx' modifiers for the same image. Each pair has another quality or width:
 * nothing is rendered yet.
 */
const ROWS = [
  ['w_400', (n) => [`c_fit,q_${70 + n},w_400`], 'jpg', (n) => `w_400,f_jpeg,q_${70 + n}`],
  [
    'f_auto,q_auto, then w_400',
    (n) => ['f_auto,q_auto', `c_fit,w_${400 + n}`],
    'jpg',
    (n) => `w_${400 + n},f_jpeg,q_80`,
  ],
  ['w_400 webp', (n) => [`c_fit,q_${70 + n},w_400`], 'webp', (n) => `w_400,f_webp,q_${70 + n}`],
  // The scales of JPEG and AVIF differ: three quarters of the number.
  [
    'w_400 avif',
    (n) => [`c_fit,q_${70 + n},w_400`],
    'avif',
    (n) => `w_400,f_avif,q_${Math.round((70 + n) * 0.75)}`,
  ],
  ['fill 300 × 300', (n) => [`c_fill,h_300,q_${70 + n},w_300`], 'jpg', (n) => `s_300x300,f_jpeg,q_${70 + n}`],
  ['rotate 90', (n) => [`a_90,q_${70 + n}`], 'jpg', (n) => `rotate_90,f_jpeg,q_${70 + n}`],
  [
    'w_800, blur',
    (n) => [`c_fit,q_${70 + n},w_800`, 'e_blur:250'],
    'jpg',
    (n) => `w_800,blur_5,f_jpeg,q_${70 + n}`,
  ],
];
/** A row whose pairs have an original each: the first image of it. */
const FIRST = ['w_400 of a new original', () => ['c_fit,w_400'], 'jpg', () => 'w_400,f_jpeg,q_80'];

const folder = mkdtempSync(join(tmpdir(), 'pixseal-renderer-'));
const files = join(folder, 'files');
const agent = new Agent({ keepAlive: true, maxSockets: CLIENTS });
const services = [];
const database = await startDatabase();
try {
  mkdirSync(files);
  const photos = await drawPhotos();
  const [pixseal, ipx] = await Promise.all([startPixseal(), startIpx()]);
  const issuer = await admin(pixseal, 'issuers', JSON.stringify({ name: 'Renders' }), 'application/json');
  const rows = [];
  for (const [megapixels, photo] of photos) {
    const own = (name, chain, format) => `${pixseal}${pathOf(`${name}-${megapixels}`, chain, format)}`;
    await upload(pixseal, issuer, `warm-${megapixels}`, photo);
    for (let width = 0; width < WARM_UP; width += 1) {
      await get(own('warm', [`c_fit,w_${300 + width}`], 'jpg'));
      await get(`${ipx}/w_${300 + width},f_jpeg,q_80/${megapixels}.jpg`);
    }
    for (let pair = 0; pair <= PAIRS; pair += 1)
      await upload(pixseal, issuer, `${pair}-${megapixels}`, withComment(photo, `pair ${pair}`));
    for (const [name, chain, format, modifiers] of [...ROWS, FIRST]) {
      const times = [];
      for (let pair = 0; pair <= PAIRS; pair += 1) {
        const requests = [
          () => time(own(name === FIRST[0] ? pair : 'warm', chain(pair), format)),
          () => time(`${ipx}/${modifiers(pair)}/${megapixels}.jpg`),
        ];
        // Which one is first alternates.
        const order = pair % 2 === 0 ? [0, 1] : [1, 0];
        const pairTimes = [];
        for (const index of order) pairTimes[index] = await requests[index]();
        // The first pair loads code and starts threads.
        if (pair > 0) times.push(pairTimes);
      }
      const at = (index) => median(times.map((each) => each[index])).toFixed(1);
      const ratio = median(times.map(([one, other]) => one / other)).toFixed(2);
      rows.push(`| ${name}, ${megapixels} megapixels | ${at(0)} ms | ${at(1)} ms | ${ratio} |`);
      console.log(rows.at(-1));
    }
  }
  const cached = `${pixseal}${pathOf('warm-1', ['c_fit,w_400'], 'jpg')}`;
  const { etag } = await get(cached);
  const rates = [
    ['`/health/live`', await rate(`${pixseal}/health/live`)],
    ['304', await rate(cached, { 'if-none-match': etag })],
    ['cached, w_400', await rate(cached)],
    ['ipx, w_400 of 1 megapixel', await rate(`${ipx}/w_400,f_jpeg,q_80/1.jpg`)],
  ].map(([name, perSecond]) => `| ${name} | ${Math.round(perSecond)} |`);
  console.log(rates.join('\n'));
  write(rows, rates);
} finally {
  agent.destroy();
  for (const service of services) service.kill('SIGTERM');
  await Promise.all(services.map((service) => new Promise((resolve) => service.once('exit', resolve))));
  await database.stop();
  rmSync(folder, { recursive: true, force: true });
}

/** Photos with detail at every scale, from noise that is enlarged and added up. */
async function drawPhotos() {
  const photos = [];
  for (const [megapixels, [width, height]] of Object.entries(SIZES)) {
    const noise = (part) =>
      sharp({
        create: {
          ...{ width: Math.ceil(width / part), height: Math.ceil(height / part), channels: 3 },
          noise: { type: 'gaussian', mean: 128, sigma: 40 },
        },
      })
        .png()
        .toBuffer()
        .then((file) => sharp(file).resize(width, height, { fit: 'fill' }).png().toBuffer());
    const [coarse, fine] = [await noise(100), await noise(8)];
    const photo = await sharp(coarse)
      .composite([{ input: fine, blend: 'soft-light' }])
      .jpeg({ quality: 90 })
      .toBuffer();
    writeFileSync(join(files, `${megapixels}.jpg`), photo);
    photos.push([megapixels, photo]);
  }
  return photos;
}

async function startPixseal() {
  const port = await findFreePort();
  start(MAIN, {
    ...database.settings,
    ...{ PORT: String(port), DATA_DIR: join(folder, 'data'), DELIVERY_MODE: 'local' },
  });
  const origin = `http://127.0.0.1:${port}`;
  await untilOk(`${origin}/health/ready`);
  return origin;
}

async function startIpx() {
  const port = await findFreePort();
  const args = ['serve', '--dir', files, '--port', String(port), '--host', '127.0.0.1'];
  start(['bench/ipx/node_modules/ipx/bin/ipx.mjs', ...args], { NODE_ENV: 'production' });
  const origin = `http://127.0.0.1:${port}`;
  await untilOk(`${origin}/w_10/1.jpg`);
  return origin;
}

function start(args, env) {
  const service = spawn(process.execPath, args, {
    env: { PATH: process.env.PATH, ...env },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  services.push(service);
}

async function untilOk(url) {
  for (let attempt = 0; attempt < 600; attempt += 1) {
    if ((await fetch(url).catch(() => ({ ok: false }))).ok) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`${url} does not respond`);
}

function get(url, headers = {}) {
  return new Promise((resolve, reject) => {
    request(url, { agent, headers }, (response) => {
      let bytes = 0;
      response.on('data', (part) => (bytes += part.length));
      response.once('end', () => {
        if (response.statusCode === 200 || response.statusCode === 304) {
          resolve({ bytes, etag: response.headers.etag });
        } else reject(new Error(`${url}: ${response.statusCode}`));
      });
    })
      .once('error', reject)
      .end();
  });
}

async function time(url) {
  const sentAt = performance.now();
  await get(url);
  return performance.now() - sentAt;
}

/** Responses per second to a few clients at once. */
async function rate(url, headers) {
  const startedAt = performance.now();
  const end = startedAt + SECONDS * 1000;
  let responses = 0;
  const loop = async () => {
    while (performance.now() < end) {
      await get(url, headers);
      responses += 1;
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, loop));
  return (responses * 1000) / (performance.now() - startedAt);
}

function pathOf(publicId, chain, format) {
  return cloudinary
    .url(publicId, {
      ...{ raw_transformation: chain.join('/'), type: 'authenticated', version: '1', format },
      ...{ sign_url: true, secure: true, urlAnalytics: false, ...CLOUD },
    })
    .replace('https://res.cloudinary.com', '');
}

/** A file of the same pixels with another content. */
function withComment(jpeg, comment) {
  const head = Buffer.from([0xff, 0xfe, 0, comment.length + 2]);
  return Buffer.concat([jpeg.subarray(0, 2), head, Buffer.from(comment), jpeg.subarray(2)]);
}

async function upload(origin, issuer, publicId, photo) {
  const form = new FormData();
  for (const [name, value] of Object.entries({ issuer_id: issuer.id, public_id: publicId, version: '1' })) {
    form.append(name, value);
  }
  form.append('file', new Blob([photo], { type: 'image/jpeg' }), 'photo.jpg');
  await admin(origin, 'images', form);
}

async function admin(origin, path, body, type) {
  const response = await fetch(`${origin}/admin/${path}`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${database.settings.ADMIN_API_KEYS}`,
      ...(type === undefined ? {} : { 'content-type': type }),
    },
    body,
  });
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  return response.json();
}

function write(rows, rates) {
  const path = 'docs/performance.md';
  const [from, to] = ['<!-- renderer -->', '<!-- /renderer -->'];
  const text = readFileSync(path, 'utf8');
  const { version } = JSON.parse(readFileSync('bench/ipx/node_modules/ipx/package.json', 'utf8'));
  const [{ model }] = cpus();
  const date = new Date().toISOString().slice(0, 10);
  const table = [
    from,
    '',
    `${date}; ${model.trim()}, ${cpus().length} cores; Linux ${release()}; Node ${process.version}; ` +
      `Postgres ${database.version}; sharp ${sharp.versions.sharp}; ipx ${version}. ${PAIRS} pairs of requests; rates of ${CLIENTS} clients over ${SECONDS} s.`,
    '',
    '| render | Pixseal | ipx | median ratio |',
    '| --- | --- | --- | --- |',
    ...rows,
    '',
    '| response | per second |',
    '| --- | --- |',
    ...rates,
    '',
    to,
  ].join('\n');
  writeFileSync(path, text.slice(0, text.indexOf(from)) + table + text.slice(text.indexOf(to) + to.length));
}
