import { connect, createServer, type Server, type Socket } from 'node:net';
import { listen } from './http.js';

/** One client's connection to the server. */
interface Link {
  readonly client: Socket;
  readonly server: Socket;
  /** Drops all bytes silently from now on. */
  lost: boolean;
}

function addressOf(databaseUrl: string): { readonly host: string; readonly port: number } {
  const { hostname, port } = new URL(databaseUrl);
  return { host: hostname, port: Number(port || 5432) };
}

/** A TCP proxy between a service and its Postgres, which a test makes slow, silent or unavailable. */
export class TcpProxy {
  private readonly links = new Set<Link>();
  private mode: 'open' | 'refuse' | 'lose' = 'open';
  private delay = 0;

  private constructor(
    private target: { readonly host: string; readonly port: number },
    private readonly listener: Server,
  ) {}

  /** Opens a proxy in front of the server of a database's URL. */
  static async before(databaseUrl: string): Promise<TcpProxy> {
    const listener = createServer();
    const proxy = new TcpProxy(addressOf(databaseUrl), listener);
    listener.on('connection', (client) => {
      proxy.accept(client);
    });
    await listen(listener);
    return proxy;
  }

  /** Forwards new connections to the server of another URL; open ones stay. */
  moveTo(databaseUrl: string): void {
    this.target = addressOf(databaseUrl);
  }

  /** A database's URL through this proxy. */
  urlOf(databaseUrl: string): string {
    const url = new URL(databaseUrl);
    const address = this.listener.address();
    url.host = `127.0.0.1:${typeof address === 'object' ? (address?.port ?? 0) : 0}`;
    return url.href;
  }

  /** Delays all bytes by this number of milliseconds in each direction. */
  slow(delay: number): void {
    this.delay = delay;
  }

  /** Simulates a stopped server: resets open and new connections. */
  refuse(): void {
    this.mode = 'refuse';
    this.reset();
  }

  /** Simulates a network failure: drops all bytes, keeps connections open, never responds on new ones. */
  lose(): void {
    this.mode = 'lose';
    for (const link of this.links) link.lost = true;
  }

  /** Restores new connections, and those that were not affected. */
  restore(): void {
    this.mode = 'open';
    this.delay = 0;
  }

  /** Resets every open connection. */
  reset(): void {
    for (const { client, server } of this.links) {
      client.resetAndDestroy();
      server.destroy();
    }
  }

  async close(): Promise<void> {
    this.reset();
    await new Promise((resolve) => this.listener.close(resolve));
  }

  private accept(client: Socket): void {
    client.on('error', () => undefined);
    if (this.mode === 'refuse') {
      client.resetAndDestroy();
      return;
    }
    const server = connect(this.target);
    server.on('error', () => client.destroy());
    const link: Link = { client, server, lost: this.mode === 'lose' };
    this.links.add(link);
    this.pass(link, client, server);
    this.pass(link, server, client);
    client.once('close', () => {
      server.destroy();
      this.links.delete(link);
    });
  }

  private pass(link: Link, from: Socket, to: Socket): void {
    from.on('data', (chunk) => {
      if (link.lost) return;
      if (this.delay === 0) to.write(chunk);
      else setTimeout(() => link.lost || to.write(chunk), this.delay);
    });
    from.once('close', () => {
      if (!link.lost) to.destroy();
    });
  }
}
