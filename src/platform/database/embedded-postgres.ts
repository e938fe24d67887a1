import { execFile, type ExecFileException } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmdirSync,
  rmSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { Duplex } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Worker } from 'node:worker_threads';
import { lockFolder } from './folder-lock.js';

/** Postgres in this process: PGlite on a folder, used through the same `pg` driver as a server. */
export interface EmbeddedPostgres {
  /** Creates a stream for `pg`'s `stream` option: the wire protocol without a socket. */
  connect(): Duplex;
  /** Flushes and closes the database, then unlocks the folder. */
  close(): Promise<void>;
}

/** Bytes of the wire protocol, one message at a time: the next is sent after the response. */
export type ToWorker = Uint8Array | 'close';
/** First that the database is open, then a response to each message. */
export type FromWorker = 'open' | Uint8Array<ArrayBuffer> | { readonly failure: string };

const WORKER = new URL('./embedded-postgres.worker.js', import.meta.url);

/** Follows the name of the database's folder, in the names of folders in which files are created. */
const UNFINISHED = '.unfinished';

const ahead = new Map<string, Promise<EmbeddedPostgres>>();

/** Starts to open the database for `openEmbeddedPostgres`, while the rest of the service is loaded. */
export function prewarm(dataDir: string): void {
  const opening = open(dataDir);
  // `openEmbeddedPostgres` rethrows it.
  opening.catch(() => undefined);
  ahead.set(dataDir, opening);
}

/**
 * Opens the database of a data folder, and creates it at the first start.
 * @throws FolderLockedError when another process uses the folder.
 */
export function openEmbeddedPostgres(dataDir: string): Promise<EmbeddedPostgres> {
  const opening = ahead.get(dataDir) ?? open(dataDir);
  ahead.delete(dataDir);
  return opening;
}

async function open(dataDir: string): Promise<EmbeddedPostgres> {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const unlock = lockFolder(dataDir);
  try {
    const database = await openDatabase(join(dataDir, 'postgres'));
    return {
      connect: () => new ProtocolStream(database),
      close: async () => {
        await database.close();
        unlock();
      },
    };
  } catch (error) {
    unlock();
    throw error;
  }
}

/** Opens the files in a thread, and creates them first if the folder is empty or missing. A non-empty folder is never deleted. */
async function openDatabase(folder: string): Promise<DatabaseThread> {
  removeUnfinished(folder);
  if (!existsSync(folder) || readdirSync(folder).length === 0) await createFiles(folder);
  // PGlite makes its files writable for all users, whatever the umask: their folder excludes other users.
  chmodSync(folder, 0o700);
  return DatabaseThread.open(folder);
}

/**
 * Creates the files beside the folder and renames them, so that a process that is killed leaves no folder that Postgres
 * cannot start from. In a process of its own: creating takes 550 MB, of which a thread's end returns only a part.
 * @throws Error with the reason, or the signal that ended that process.
 */
async function createFiles(folder: string): Promise<void> {
  // No other start uses this folder: the second process of a killed start may still write to its own.
  const draft = mkdtempSync(`${folder}${UNFINISHED}-`);
  try {
    await promisify(execFile)(process.execPath, [fileURLToPath(WORKER), draft]);
    if (existsSync(folder)) rmdirSync(folder);
    renameSync(draft, folder);
  } catch (error) {
    rmSync(draft, { recursive: true, force: true });
    const { stderr, signal } = error as ExecFileException;
    const reason = signal
      ? `${signal} ended its process, which needs 700 MB of memory until the files exist`
      : stderr?.trim();
    throw new Error(`The embedded database was not created: ${reason ?? String(error)}`, { cause: error });
  }
}

/** Removes what starts that were killed have left. */
function removeUnfinished(folder: string): void {
  // Releases up to 0.1.1 created the files in the folder itself, and marked it until they were complete.
  if (existsSync(`${folder}${UNFINISHED}`)) rmSync(folder, { recursive: true, force: true });
  const prefix = `${basename(folder)}${UNFINISHED}`;
  for (const name of readdirSync(dirname(folder)).filter((each) => each.startsWith(prefix))) {
    try {
      rmSync(join(dirname(folder), name), { recursive: true, force: true });
    } catch {
      // The second process of that start still writes to it: a later start removes it.
    }
  }
}

/** The database's thread, and the request that waits for its next message. */
class DatabaseThread {
  private waiting: { resolve: (message: FromWorker) => void; reject: (error: Error) => void } | null = null;
  private readonly ended: Promise<void>;
  private failure: Error | null = null;

  private constructor(private readonly worker: Worker) {
    worker.on('message', (message: FromWorker) => {
      this.waiting?.resolve(message);
    });
    worker.on('error', (error) => {
      this.fail(error);
    });
    this.ended = new Promise((resolve) => {
      worker.once('exit', () => {
        this.fail(new Error('The embedded database is closed.'));
        resolve();
      });
    });
  }

  static async open(folder: string): Promise<DatabaseThread> {
    const thread = new DatabaseThread(new Worker(WORKER, { workerData: folder }));
    await thread.next();
    return thread;
  }

  /** @throws Error after the database failed or was closed. */
  async answer(message: Buffer): Promise<Buffer> {
    const bytes = new Uint8Array(message);
    this.worker.postMessage(bytes satisfies ToWorker, [bytes.buffer]);
    const answer = await this.next();
    if (answer instanceof Uint8Array) return Buffer.from(answer.buffer);
    throw new Error(answer === 'open' ? 'The embedded database was opened twice.' : answer.failure);
  }

  async close(): Promise<void> {
    this.worker.postMessage('close' satisfies ToWorker);
    await this.ended;
  }

  private next(): Promise<FromWorker> {
    return new Promise((resolve, reject) => {
      if (this.failure) reject(this.failure);
      else this.waiting = { resolve, reject };
    });
  }

  private fail(error: Error): void {
    this.failure ??= error;
    this.waiting?.reject(this.failure);
  }
}

/**
 * One connection's bytes. PGlite has one session, so the pool must be limited to one connection (`max: 1`): otherwise
 * statements of different transactions would mix.
 */
class ProtocolStream extends Duplex {
  constructor(private readonly database: DatabaseThread) {
    super();
  }

  // Methods that `pg` calls on a socket.
  connect(): this {
    process.nextTick(() => this.emit('connect'));
    return this;
  }
  setNoDelay(): this {
    return this;
  }
  setKeepAlive(): this {
    return this;
  }
  ref(): this {
    return this;
  }
  unref(): this {
    return this;
  }

  override _read(): void {
    // Responses are pushed as they arrive.
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.database.answer(chunk).then(
      (answer) => {
        if (answer.length > 0 && !this.destroyed) this.push(answer);
        done();
      },
      (error: unknown) => {
        done(error instanceof Error ? error : new Error(String(error)));
      },
    );
  }

  override _final(done: (error?: Error | null) => void): void {
    this.push(null);
    done();
  }
}
