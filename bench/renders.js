// `npm run measure:render`: how long redirects and /health/live take while the heaviest allowed chains render in mode
// `local`. Prints a row for docs/reliability.md.
import { spawn } from 'node:child_process';
import { createHmac, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createHistogram } from 'node:perf_hooks';
import { v2 as cloudinary } from 'cloudinary';
import sharp from 'sharp';
import { findFreePort, MAIN } from './pixseal.js';

const SECONDS = Number(process.env.BENCH_SECONDS ?? 30);
const API_SECRET = 'b5mNqz_Tt0Nn1EaWv9uQyS2xkRg';
const CLOUD = 'sadaasdasd';
const ADMIN_KEY = randomBytes(32).toString('base64url');
/** The largest picture, and as many loops over all of it as a render may have. */
const HEAVIEST = ['c_scale,h_4990,w_4990', ...Array.from({ length: 9 }, () => 'e_vignette')];
/** Milliseconds between two requests of one kind. */
const PAUSE = 5;

const folder = mkdtempSync(join(tmpdir(), 'pixseal-renders-'));
const port = await findFreePort();
const origin = `http://127.0.0.1:${port}`;
const service = spawn(process.execPath, MAIN, {
  env: {
    PATH: process.env.PATH,
    PORT: String(port),
    DATA_DIR: folder,
    CLOUDINARY_URL: `cloudinary://123456789012345:${API_SECRET}@${CLOUD}`,
    DELIVERY_MODE: 'local',
    ADMIN_API_KEYS: ADMIN_KEY,
    LOG_LEVEL: 'silent',
    RATE_LIMIT_ADDRESS: '0',
  },
  stdio: ['ignore', 'ignore', 'inherit'],
});
try {
  while (!(await fetch(`${origin}/health/ready`).catch(() => ({ ok: false }))).ok) await sleep(50);
  const issuer = await admin('issuers', JSON.stringify({ name: 'Renders' }), 'application/json');
  const form = new FormData();
  for (const [name, value] of Object.entries({ issuer_id: issuer.id, public_id: 'photo', version: '1' })) {
    form.append(name, value);
  }
  const photo = await sharp({ create: { width: 1200, height: 900, channels: 3, background: '#468' } })
    .jpeg()
    .toBuffer();
  form.append('file', new Blob([photo], { type: 'image/jpeg' }), 'photo.jpg');
  const image = await admin('images', form);
  const encode = (part) => Buffer.from(JSON.stringify(part)).toString('base64url');
  const signed = `${encode({ typ: 'JWT', alg: 'HS256' })}.${encode({ iss: issuer.id, image_id: image.id })}`;
  const mac = createHmac('sha256', issuer.key.secret).update(signed).digest('base64url');
  const paths = { redirect: `/images/${image.id}?token=${signed}.${mac}`, '/health/live': '/health/live' };

  const rows = [['idle', await probe(paths, Promise.resolve(), SECONDS / 3)]];
  let renders = 0;
  const end = performance.now() + SECONDS * 1000;
  const renderAll = async () => {
    while (performance.now() < end) {
      renders += 1;
      // Another quality each time: nothing is rendered yet.
      await fetch(urlOf([...HEAVIEST, `q_${1 + (renders % 100)}`]), { redirect: 'manual' });
    }
  };
  const rendering = Promise.all([renderAll(), renderAll()]);
  rows.push(['rendering', await probe(paths, rendering, SECONDS)]);
  for (const [state, times] of rows) {
    for (const [name, histogram] of Object.entries(times)) {
      const at = (percentile) => (histogram.percentile(percentile) / 1e6).toFixed(1);
      console.log(
        `| ${state}: ${name} | ${histogram.count} | ${at(50)} ms | ${at(99)} ms | ${(histogram.max / 1e6).toFixed(1)} ms |`,
      );
    }
  }
  console.log(`${renders} renders were requested, two at a time`);
} finally {
  service.kill('SIGTERM');
  await new Promise((resolve) => service.once('exit', resolve));
  rmSync(folder, { recursive: true, force: true });
}

function urlOf(chain) {
  return cloudinary
    .url('photo', {
      raw_transformation: chain.join('/'),
      type: 'authenticated',
      version: '1',
      format: 'jpg',
      sign_url: true,
      secure: true,
      cloud_name: CLOUD,
      api_secret: API_SECRET,
      urlAnalytics: false,
    })
    .replace('https://res.cloudinary.com', origin);
}

/** Times requests for so many seconds, one after another for each path. */
async function probe(paths, work, seconds) {
  const end = performance.now() + seconds * 1000;
  const times = {};
  const loops = Object.entries(paths).map(async ([name, path]) => {
    const histogram = (times[name] = createHistogram());
    while (performance.now() < end) {
      const sentAt = performance.now();
      const { status } = await fetch(origin + path, { redirect: 'manual' });
      histogram.record(Math.max(1, Math.round((performance.now() - sentAt) * 1e6)));
      if (status !== 200 && status !== 302) throw new Error(`${name}: ${status}`);
      await sleep(PAUSE);
    }
  });
  await Promise.all([...loops, work]);
  return times;
}

async function admin(path, body, type) {
  const response = await fetch(`${origin}/admin/${path}`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${ADMIN_KEY}`,
      ...(type === undefined ? {} : { 'content-type': type }),
    },
    body,
  });
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  return response.json();
}

function sleep(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
