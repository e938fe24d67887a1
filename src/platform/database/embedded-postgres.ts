import { chmodSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Duplex } from 'node:stream';
import { Worker } from 'node:worker_threads';
import { lockFolder } from './folder-lock.js';

/** Postgres in this process: PGlite on a folder, spoken to by the same `pg` driver as a server. */
export interface EmbeddedPostgres {
  /** Makes a stream for `pg`'s `stream` option: the wire protocol without a socket. */
  connect(): Duplex;
  /** Flushes and closes the database, then lets the folder go. */
  close(): Promise<void>;
}

/** Bytes of the wire protocol, one message at a time; each is answered before the next is sent. */
export type ToWorker = Uint8Array | 'close';
/** That the database is open, and then an answer to each message. */
export type FromWorker = 'open' | Uint8Array<ArrayBuffer> | { readonly failure: string };

const WORKER = new URL('./embedded-postgres.worker.js', import.meta.url);

const ahead = new Map<string, Promise<EmbeddedPostgres>>();

/** Begins what `openEmbeddedPostgres` will wait for: all else that a service needs can be loaded meanwhile. */
export function prewarm(dataDir: string): void {
  const opening = open(dataDir);
  // Whoever waits for it is told.
  opening.catch(() => undefined);
  ahead.set(dataDir, opening);
}

/**
 * Opens the database of a data folder, making it at the first start.
 * @throws FolderLockedError when another live process holds the folder.
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
 * A process that is killed while it makes the files leaves some that no Postgres can start from. A mark stands beside
 * them until they are whole; what is found with its mark has never held a row, and is made anew.
 */
async function openDatabase(folder: string): Promise<DatabaseThread> {
  const mark = `${folder}.unfinished`;
  if (existsSync(mark)) rmSync(folder, { recursive: true, force: true });
  // An empty folder holds no database; one that holds anything is nobody's to remove.
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

/** PGlite lets anybody write its files, whatever the umask: their folder lets nobody in. */
function closeToOthers(folder: string): void {
  mkdirSync(folder, { recursive: true });
  chmodSync(folder, 0o700);
}

/** The database's thread, and who waits for its next message. */
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

  /** @throws Error where the database has none, since it has failed or is closed. */
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
 * One connection's bytes. PGlite has one session, so whoever makes the pool must allow one connection at a time
 * (`max: 1`): then a transaction has the session to itself and no neighbour's statement falls into it.
 */
class ProtocolStream extends Duplex {
  constructor(private readonly database: DatabaseThread) {
    super();
  }

  // The calls `pg` makes on a socket; there is none to tune.
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
    // Answers are pushed as they come.
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
