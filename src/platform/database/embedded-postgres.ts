import { chmodSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Duplex } from 'node:stream';
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

/**
 * A process that is killed while it creates the files leaves some that Postgres cannot start from. A marker file exists
 * until they are complete: files beside a marker have never contained a row, and are created again.
 */
async function openDatabase(folder: string): Promise<DatabaseThread> {
  const mark = `${folder}.unfinished`;
  if (existsSync(mark)) rmSync(folder, { recursive: true, force: true });
  // A non-empty folder is never deleted.
  else if (existsSync(folder) && readdirSync(folder).length > 0) {
    closeToOthers(folder);
    return DatabaseThread.open(folder);
  }
  writeFileSync(mark, '', { mode: 0o600 });
  closeToOthers(folder);
  const database = await DatabaseThread.open(folder);
  rmSync(mark);
  return database;
}

/** PGlite makes its files writable for all users, whatever the umask: their folder excludes other users. */
function closeToOthers(folder: string): void {
  mkdirSync(folder, { recursive: true });
  chmodSync(folder, 0o700);
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
