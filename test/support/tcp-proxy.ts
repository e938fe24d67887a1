import { connect, createServer, type Server, type Socket } from 'node:net';

/** One client's way to the server. */
interface Link {
  readonly client: Socket;
  readonly server: Socket;
  /** Nothing passes any more, and nobody is told. */
  lost: boolean;
}

/** A TCP proxy between a service and its Postgres, which a test makes slow, silent or absent. */
export class TcpProxy {
  private readonly links = new Set<Link>();
  private mode: 'open' | 'refuse' | 'lose' = 'open';
  private delay = 0;

  private constructor(
    private readonly target: { readonly host: string; readonly port: number },
    private readonly listener: Server,
  ) {}

  /** Opens a proxy in front of the server of a database's URL. */
  static async before(databaseUrl: string): Promise<TcpProxy> {
    const { hostname, port } = new URL(databaseUrl);
    const listener = createServer();
    const proxy = new TcpProxy({ host: hostname, port: Number(port || 5432) }, listener);
    listener.on('connection', (client) => {
      proxy.accept(client);
    });
    await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  /** A database's URL by way of this proxy. */
  urlOf(databaseUrl: string): string {
    const url = new URL(databaseUrl);
    const address = this.listener.address();
    url.host = `127.0.0.1:${typeof address === 'object' ? (address?.port ?? 0) : 0}`;
    return url.href;
  }

  /** Everything passes, this many milliseconds late each way. */
  slow(delay: number): void {
    this.delay = delay;
  }

  /** The server is gone: open connections are reset, new ones too. */
  refuse(): void {
    this.mode = 'refuse';
    this.reset();
  }

  /** The network is gone: bytes vanish for good, connections stay open, new ones are never answered. */
  lose(): void {
    this.mode = 'lose';
    for (const link of this.links) link.lost = true;
  }

  /** New connections are good again, and those that nothing happened to. */
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
