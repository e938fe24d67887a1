import type { FastifyInstance } from 'fastify';

export const NOTIFICATIONS_PATH = '/cloudinary/notifications';

/**
 * Leaves the JSON of notifications as text, since their signature is of the text. Every other body is parsed as Fastify
 * does by default.
 * @param revise Reads the text of a body that was parsed again.
 */
export function keepNotificationsRaw(
  server: FastifyInstance,
  revise: (body: unknown, text: string) => unknown,
): void {
  const parse = server.getDefaultJsonParser('error', 'error');
  server.addContentTypeParser<string>('application/json', { parseAs: 'string' }, (request, body, done) => {
    if (request.routeOptions.url === NOTIFICATIONS_PATH) done(null, body);
    else {
      void parse(request, body, (error, value: unknown) => {
        if (error) done(error);
        else done(null, revise(value, body));
      });
    }
  });
}
