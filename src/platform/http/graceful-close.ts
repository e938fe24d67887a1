import type { Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';

/** Milliseconds for requests in flight once the server closes: orchestrators kill after 10 s or more. */
const GRACE = 8_000;
const SWEEP = 100;

/**
 * Lets a closing server stop once its requests in flight have responses. Node would wait for every connection, also for
 * idle ones, and for those that a browser opened and never used.
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
    // A server that never listened emits no `close`: the timers would keep the process.
    if (!server.listening) {
      done();
      return;
    }
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
