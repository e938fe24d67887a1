import { execFileSync, spawn } from 'node:child_process';
import { createHmac, randomBytes } from 'node:crypto';
import { request } from 'node:http';
import { findFreePort, MAIN } from './pixseal.js';

const ADMIN_KEY = randomBytes(32).toString('base64url');

/** What all replicas share. */
const SHARED = {
  PATH: process.env.PATH,
  NODE_ENV: 'production',
  HOST: '127.0.0.1',
  CLOUDINARY_URL: 'cloudinary://123456789012345:b5mNqz_Tt0Nn1EaWv9uQyS2xkRg@sadaasdasd',
  ADMIN_API_KEYS: ADMIN_KEY,
  SECRETS_KEY: randomBytes(32).toString('base64url'),
  LOG_LEVEL: 'silent',
  // All load comes from one address.
  RATE_LIMIT_ADDRESS: '0',
  DRAIN_SECONDS: '0',
};

/** @typedef {{ port: number, pid: number, stop: () => Promise<void> }} Replica */

/** Brings an empty database to the built schema. @param {string} url */
export function migrate(url) {
  const env = { ...SHARED, DATABASE_URL: url };
  execFileSync(process.execPath, ['dist/src/platform/database/migration-run.js'], { env, stdio: 'ignore' });
}

/**
 * Starts the built service on a database and waits until it is ready.
 * @param {string} url
 * @param {Record<string, string>} [settings] Beside those that all replicas share.
 * @returns {Promise<Replica>}
 */
export async function startReplica(url, settings = {}) {
  const port = await findFreePort();
  const env = { ...SHARED, ...settings, DATABASE_URL: url, PORT: String(port) };
  const child = spawn(process.execPath, MAIN, {
    env,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  for (;;) {
    if (child.exitCode !== null) throw new Error('the service stopped before it was ready');
    const ready = await ask({ port, path: '/health/ready' }).catch(() => null);
    if (ready?.status === 200) break;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return {
    port,
    pid: child.pid ?? 0,
    stop: () => {
      const ended = new Promise((resolve) => child.once('exit', () => resolve(undefined)));
      child.kill('SIGTERM');
      return ended;
    },
  };
}

/**
 * One request over a connection of the agent's.
 * @param {{ port: number, path: string, method?: string, body?: unknown, agent?: import('node:http').Agent }} question
 * @returns {Promise<{ status: number, text: string }>}
 */
export function ask({ port, path, method = 'GET', body, agent }) {
  const payload = body === undefined ? '' : JSON.stringify(body);
  const headers = path.startsWith('/admin')
    ? {
        authorization: `Bearer ${ADMIN_KEY}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      }
    : {};
  return new Promise((resolve, reject) => {
    const outgoing = request({ host: '127.0.0.1', port, path, method, headers, agent }, (incoming) => {
      let text = '';
      incoming.setEncoding('utf8').on('data', (chunk) => (text += chunk));
      incoming.once('end', () => resolve({ status: incoming.statusCode ?? 0, text }));
      incoming.once('error', reject);
    });
    outgoing.once('error', reject);
    outgoing.end(payload);
  });
}

/**
 * A request of the admin API that must succeed.
 * @param {number} port @param {string} method @param {string} path @param {unknown} [body]
 * @returns {Promise<any>} The answer's body.
 */
export async function admin(port, method, path, body) {
  const { status, text } = await ask({ port, path: `/admin${path}`, method, body });
  if (status < 200 || status > 204) throw new Error(`${method} ${path} answered ${status} ${text}`);
  return text === '' ? null : JSON.parse(text);
}

const HEADER = encode({ typ: 'JWT', alg: 'HS256' });

/** @param {object} part */
function encode(part) {
  return Buffer.from(JSON.stringify(part)).toString('base64url');
}

/** A token of these claims. @param {string} secret @param {object} claims */
export function seal(secret, claims) {
  const sealed = `${HEADER}.${encode(claims)}`;
  return `${sealed}.${createHmac('sha256', secret).update(sealed).digest('base64url')}`;
}
