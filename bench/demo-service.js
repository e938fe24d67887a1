import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findFreePort, MAIN } from './pixseal.js';

const ADMIN_KEY = randomBytes(32).toString('base64url');
/** What tells the service that a request is the console's own. */
const OWN = { 'x-pixseal-console': '1', 'sec-fetch-site': 'same-origin' };

/**
 * The built service as `npm start` runs it, with its demo, in a folder of its own that is gone with `stop`.
 * `link` is the one to the playground that it prints.
 */
export async function startDemoService() {
  const folder = mkdtempSync(join(tmpdir(), 'pixseal-demo-'));
  const port = await findFreePort();
  const child = spawn(process.execPath, MAIN, {
    env: {
      PATH: process.env.PATH,
      PORT: String(port),
      DATA_DIR: folder,
      ADMIN_API_KEYS: ADMIN_KEY,
      LOG_LEVEL: 'silent',
      RATE_LIMIT_ADDRESS: '0',
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = new Promise((resolve) => child.once('exit', resolve));
  const link = await new Promise((resolve, reject) => {
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text) => {
      output += text;
      const [found] = /http:\S+\/playground#\S+(?=\s)/.exec(output) ?? [];
      if (found !== undefined) resolve(found);
    });
    void exited.then((code) => reject(new Error(`the service ended with ${code}`)));
  });
  return {
    link,
    origin: new URL(link).origin,
    stop: async () => {
      child.kill('SIGTERM');
      await exited;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** A browser's storage with a session of the console. */
export async function signIn(browser, origin) {
  const context = await browser.newContext();
  const answer = await context.request.post(`${origin}/console/session`, {
    headers: OWN,
    data: { key: ADMIN_KEY },
  });
  if (answer.status() !== 201) throw new Error(`signing in was answered ${answer.status()}`);
  const storageState = await context.storageState();
  await context.close();
  return storageState;
}
