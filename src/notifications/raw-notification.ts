import type { FastifyInstance } from 'fastify';

export const NOTIFICATIONS_PATH = '/cloudinary/notifications';

/** Leaves the JSON of notifications as text: it is signed to the letter. Every other body is parsed as before. */
export function keepNotificationsRaw(server: FastifyInstance): void {
  const parse = server.getDefaultJsonParser('error', 'error');
  server.addContentTypeParser<string>('application/json', { parseAs: 'string' }, (request, body, done) => {
    if (request.routeOptions.url === NOTIFICATIONS_PATH) done(null, body);
    else void parse(request, body, done);
  });
}
