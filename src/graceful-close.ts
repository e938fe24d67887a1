import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';
import type { Drain } from './health/drain.js';

/** Milliseconds that requests in flight may take once the server closes: orchestrators kill after 10 s and more. */
const GRACE = 8_000;
const SWEEP = 100;

/**
 * Lets a closing server end once its requests in flight are answered. Node alone would wait for every connection,
 * among them those that are kept alive after their last answer and those that a browser opened and never used.
 */
export function closeGracefully(fastify: FastifyInstance): void {
  const { server } = fastify;
  const unused = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    unused.add(socket);
    socket.once('close', () => unused.delete(socket));
  });
  server.on('request', ({ socket }) => unused.delete(socket));
  fastify.addHook('preClose', (done) => {
    const sweep = setInterval(() => {
      for (const socket of unused) socket.destroy();
      server.closeIdleConnections();
    }, SWEEP);
    const end = setTimeout(() => {
      server.closeAllConnections();
    }, GRACE);
    server.once('close', () => {
      clearInterval(sweep);
      clearTimeout(end);
    });
    done();
  });
}

/**
 * Ends kept-alive connections with their next answer once the process drains: a client that reuses one just when the
 * server closes it would see its request fail.
 */
export function endConnectionsOnDrain(fastify: FastifyInstance, drain: Pick<Drain, 'draining'>): void {
  fastify.addHook('onRequest', (_, reply, done) => {
    if (drain.draining) reply.raw.shouldKeepAlive = false;
    done();
  });
}

/**
 * Closes the connection behind a request that offers an upgrade (RFC 9110 §7.8). None is taken up, and Node drops the
 * bytes that it has read behind such a request: the rest of the next one would be read as a request of its own.
 * @param response Whose head is not written yet.
 */
export function closeBehindUpgrade({ headers }: IncomingMessage, response: ServerResponse): void {
  if (headers.upgrade !== undefined) response.shouldKeepAlive = false;
}
