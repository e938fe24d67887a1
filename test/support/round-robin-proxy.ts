import {
  Agent,
  createServer,
  request as httpRequest,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';
import { closeServer, listen } from './http.js';

/** A load balancer: round-robin, with a retry if a connection fails before a response has started. */
export interface RoundRobinProxy {
  readonly port: number;
  /** The number of responses of each upstream port. */
  readonly responses: ReadonlyMap<number, number>;
  close(): Promise<void>;
}

/** @param ports Of the service's replicas on this machine. */
export async function startRoundRobinProxy(ports: readonly number[]): Promise<RoundRobinProxy> {
  const agent = new Agent({ keepAlive: true });
  const responses = new Map<number, number>();
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
        if (port !== undefined) responses.set(port, (responses.get(port) ?? 0) + 1);
        outgoing.writeHead(response.statusCode ?? 502, response.rawHeaders);
        response.pipe(outgoing);
      },
    );
    upstream.once('error', () => {
      if (left > 0 && !outgoing.headersSent) pass(incoming, outgoing, turn + 1, left - 1);
      else outgoing.writeHead(502).end();
    });
    // Requests have no body here, so that one can be sent again.
    upstream.end();
  };
  const server = createServer((incoming, outgoing) => {
    // A retry takes the replica after this request's own, whatever the others do meanwhile.
    pass(incoming, outgoing, next++, ports.length - 1);
  });
  const port = await listen(server);
  return {
    port,
    responses,
    close: () => {
      agent.destroy();
      return closeServer(server);
    },
  };
}
