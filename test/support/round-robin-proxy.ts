import {
  Agent,
  createServer,
  request as httpRequest,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';

/** A small load balancer: in turn, and to the next one where a connection fails before an answer has begun. */
export interface RoundRobinProxy {
  readonly port: number;
  /** Answers that each upstream port gave. */
  readonly answered: ReadonlyMap<number, number>;
  close(): Promise<void>;
}

/** @param ports Of the service's replicas on this machine. */
export async function startRoundRobinProxy(ports: readonly number[]): Promise<RoundRobinProxy> {
  const agent = new Agent({ keepAlive: true });
  const answered = new Map<number, number>();
  let next = 0;
  const pass = (incoming: IncomingMessage, outgoing: ServerResponse, turn: number, left: number): void => {
    const port = ports[turn % ports.length];
    const upstream = httpRequest(
      {
        host: '127.0.0.1',
        port,
        agent,
        method: incoming.method,
        path: incoming.url,
        headers: { ...incoming.headers, 'x-forwarded-for': incoming.socket.remoteAddress ?? '' },
      },
      (response) => {
        if (port !== undefined) answered.set(port, (answered.get(port) ?? 0) + 1);
        outgoing.writeHead(response.statusCode ?? 502, response.rawHeaders);
        response.pipe(outgoing);
      },
    );
    upstream.once('error', () => {
      if (left > 0 && !outgoing.headersSent) pass(incoming, outgoing, turn + 1, left - 1);
      else outgoing.writeHead(502).end();
    });
    // Only requests without a body come by here: one can be sent again.
    upstream.end();
  };
  const server = createServer((incoming, outgoing) => {
    // A retry takes the next replica of this request's own turn, wherever the others are meanwhile.
    pass(incoming, outgoing, next++, ports.length - 1);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    answered,
    close: () =>
      new Promise((resolve) => {
        agent.destroy();
        server.close(() => {
          resolve();
        });
        server.closeAllConnections();
      }),
  };
}
