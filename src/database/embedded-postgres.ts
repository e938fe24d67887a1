import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Duplex } from 'node:stream';
import { PGlite } from '@electric-sql/pglite';
import { lockFolder } from './folder-lock.js';

/** Postgres in this process: PGlite on a folder, spoken to by the same `pg` driver as a server. */
export interface EmbeddedPostgres {
  /** Makes a stream for `pg`'s `stream` option: the wire protocol without a socket. */
  connect(): Duplex;
  /** Flushes and closes the database, then lets the folder go. */
  close(): Promise<void>;
}

/**
 * Opens the database of a data folder, making it at the first start.
 * @throws FolderLockedError when another live process holds the folder.
 */
export async function openEmbeddedPostgres(dataDir: string): Promise<EmbeddedPostgres> {
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
 * PGlite clears all of its shared buffers at each start: of the 128 MB that are the default, that is most of a second
 * and 115 MB of memory, for a database whose files the system caches anyway.
 */
const SETTINGS = { startParams: [...PGlite.defaultStartParams, '-c', 'shared_buffers=16MB'] };

/**
 * A process that is killed while it makes the files leaves some that no Postgres can start from. A mark stands beside
 * them until they are whole; what is found with its mark has never held a row, and is made anew.
 */
async function openDatabase(folder: string): Promise<PGlite> {
  const mark = `${folder}.unfinished`;
  if (existsSync(mark)) rmSync(folder, { recursive: true, force: true });
  // An empty folder holds no database; one that holds anything is nobody's to remove.
  else if (existsSync(folder) && readdirSync(folder).length > 0) return PGlite.create(folder, SETTINGS);
  writeFileSync(mark, '', { mode: 0o600 });
  const database = await PGlite.create(folder, SETTINGS);
  rmSync(mark);
  return database;
}

/**
 * One connection's bytes. PGlite has one session, so whoever makes the pool must allow one connection at a time
 * (`max: 1`): then a transaction has the session to itself and no neighbour's statement falls into it.
 */
class ProtocolStream extends Duplex {
  constructor(private readonly database: PGlite) {
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
    this.database.execProtocolRaw(chunk).then(
      (answer) => {
        if (answer.length > 0 && !this.destroyed) this.push(Buffer.from(answer));
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
