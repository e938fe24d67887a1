import { type ChildProcess, fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AdminClient, type NewImage, type NewIssuer, type NewOverlay } from './admin-client.js';
import type { CreatedImage, CreatedIssuer, CreatedOverlay } from './admin-client.js';
import type { ServiceMessage } from './service-message.js';
import { SERVICE } from './service-path.js';

/** How the service of a suite is started. */
export interface StartOptions {
  /** `blank`: Locations to assert, without images. `local`: uploaded originals are rendered, by the package `sharp`. */
  readonly mode: 'blank' | 'local';
  /** Settings of the service, by the names of its variables. They override all others. */
  readonly variables?: Readonly<Record<string, string>>;
}

/** A running service with a database of its own, empty at first. */
export interface EmbeddedPixseal {
  /** Its origin, on a free port of this machine. */
  readonly baseUrl: string;
  /** Grants full access to the admin API. */
  readonly adminKey: string;
  /** @throws PixsealError where the admin API refuses it. */
  createIssuer(issuer?: NewIssuer): Promise<CreatedIssuer>;
  /** @throws PixsealError where the admin API refuses it. */
  createImage(image: NewImage): Promise<CreatedImage>;
  /** @throws PixsealError where the admin API refuses it. */
  createOverlay(overlay: NewOverlay): Promise<CreatedOverlay>;
  /** Stops the process and removes its folder. Does nothing when called again. */
  close(): Promise<void>;
}

/**
 * Starts Pixseal in a child process, with an embedded Postgres in a temporary folder, and without the environment
 * variables of this process. It exits with its parent process and deletes the folder, even if the parent is killed.
 * @throws Error with the reason if it does not start.
 */
export async function startPixseal({ mode, variables = {} }: StartOptions): Promise<EmbeddedPixseal> {
  if (mode === 'local') requireSharp('Mode `local`');
  const folder = await mkdtemp(join(tmpdir(), 'pixseal-testing-'));
  const adminKey = randomBytes(32).toString('base64url');
  const child = fork(SERVICE, [folder], {
    // Node's flags of the test runner are not for the service.
    execArgv: [],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    env: {
      DATA_DIR: folder,
      DELIVERY_MODE: mode,
      PORT: '0',
      ADMIN_API_KEYS: adminKey,
      LOG_LEVEL: 'silent',
      RATE_LIMIT_ADDRESS: '0',
      DOCS: 'off',
      ...variables,
    },
  });
  const ended = new Promise<void>((resolve) => {
    const end = (): void => {
      resolve();
    };
    child.once('exit', end);
    // A process that could not be forked emits no `exit`.
    child.once('error', end);
  });
  const close = async (): Promise<void> => {
    child.ref();
    if (child.connected) child.disconnect();
    await ended;
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const baseUrl = await originOf(child);
    // A suite that fails before `close` does not keep its process alive: the service exits with it.
    child.unref();
    child.channel?.unref();
    const admin = new AdminClient(baseUrl, adminKey);
    return {
      baseUrl,
      adminKey,
      createIssuer: (issuer = {}) => admin.createIssuer(issuer),
      createImage: async (image) => {
        requireSharpFor(image);
        return admin.createImage(image);
      },
      createOverlay: async (overlay) => {
        requireSharpFor(overlay);
        return admin.createOverlay(overlay);
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

function requireSharpFor(asset: NewImage | NewOverlay): void {
  if (asset.file !== undefined) requireSharp('A `file`');
}

/** @throws Error if the service cannot import `sharp`, which is not among this package's dependencies: it is native. */
function requireSharp(feature: string): void {
  try {
    createRequire(SERVICE).resolve('sharp');
  } catch (error) {
    throw new Error(`${feature} needs the package sharp: npm install --save-dev sharp`, { cause: error });
  }
}

function originOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    child.once('message', (message: ServiceMessage) => {
      if ('origin' in message) resolve(message.origin);
      else reject(new Error(`Pixseal did not start. ${message.failure}`));
    });
    child.once('error', ({ message }) => {
      reject(new Error(`Pixseal did not start. ${message}`));
    });
    child.once('exit', (code) => {
      reject(new Error(`Pixseal did not start. It exited with ${code ?? 'a signal'}.`));
    });
  });
}
