import type { EventEmitter } from 'node:events';
import pg from 'pg';
import type { DatabaseSettings, ServerSettings } from '../config/environment.js';
import { findConnectionSettingError } from './connection-setting.error.js';

/** An open connection, and the URL of its server. */
interface ServerConnection extends EventEmitter {
  readonly url: string;
}

/**
 * The servers of a connection URL. One of them is the primary, and every connection leads to the same one: rows of two
 * servers must never be mixed.
 */
export class DatabaseServers {
  readonly variable: ServerSettings['variable'];
  /** Whether a server that accepts no writes is refused. */
  readonly readWrite: boolean;
  private readonly urls: readonly string[];
  private readonly connections = new Set<ServerConnection>();
  private current = 0;

  constructor({ variable, urls, readWrite }: ServerSettings) {
    this.variable = variable;
    this.urls = urls;
    this.readWrite = readWrite;
  }

  /** The URL of the server to connect to next, in the form of `pg`. */
  get url(): string {
    return this.urls[this.current] ?? '';
  }

  /** Whether `pg` finds a password in the URL or in its own environment variables. */
  get hasPassword(): boolean {
    return Boolean(new pg.Client({ connectionString: this.url }).password);
  }

  /** Records an open connection; those to other servers are closed, because the primary is no longer there. */
  opened(connection: ServerConnection): void {
    this.current = this.urls.indexOf(connection.url);
    this.connections.add(connection);
    connection.once('end', () => this.connections.delete(connection));
    for (const other of [...this.connections]) {
      // Its owner then discards it, whether it is idle or in use.
      if (other.url !== connection.url) other.emit('error', new Error('The primary is another server now'));
    }
  }

  /** Records that a server is unreachable or read-only: the next connection leads to the one after it. */
  failed(url: string): void {
    if (url === this.url) this.current = (this.current + 1) % this.urls.length;
  }

  /**
   * Opens connections: at most one attempt for each server.
   * @throws the last error; at once one that another setting would avoid, as libpq does.
   */
  async tryEach<T>(open: () => Promise<T>): Promise<T> {
    for (let left = this.urls.length; ; left -= 1) {
      try {
        return await open();
      } catch (error) {
        const setting = findConnectionSettingError(error, this);
        if (setting !== null || left <= 1) throw setting ?? error;
      }
    }
  }
}

/** The servers of DATABASE_URL; null for the embedded database. */
export function findServers(settings: DatabaseSettings): DatabaseServers | null {
  return settings.kind === 'embedded' ? null : new DatabaseServers(settings.server);
}

/**
 * The servers for what needs a session of its own: those of DATABASE_LISTEN_URL if it is set, because DATABASE_URL may
 * lead to a pooler in transaction mode.
 * @param servers Those of DATABASE_URL, for one choice of the primary.
 */
export function findSessionServers(
  settings: DatabaseSettings,
  servers = findServers(settings),
): DatabaseServers | null {
  if (settings.kind === 'embedded' || settings.sessionServer === null) return servers;
  return new DatabaseServers(settings.sessionServer);
}

/** The database for a log line: `embedded`, or hosts with ports. A URL may contain a password. */
export function describeDatabase(settings: DatabaseSettings): string {
  if (settings.kind === 'embedded') return 'embedded';
  return settings.server.urls
    .map((connectionString) => new pg.Client({ connectionString }))
    .map(({ host, port }) => `${host}:${port}`)
    .join(', ');
}
