import type { Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';

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
