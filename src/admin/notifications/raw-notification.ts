import type { FastifyInstance } from 'fastify';

export const NOTIFICATIONS_PATH = '/cloudinary/notifications';
const RAW_PATHS: ReadonlySet<string> = new Set([NOTIFICATIONS_PATH, `${NOTIFICATIONS_PATH}/:account_id`]);
const ADMIN_PATHS = '/admin/';

/**
 * Leaves the JSON of notifications as text, which is what is signed. Other bodies are parsed as Fastify does by default.
 * @param revise Checks a parsed body of an admin's request against its text; what it throws is the response.
 */
export function keepNotificationsRaw(
  server: FastifyInstance,
  revise: (body: unknown, text: string) => unknown,
): void {
  const parse = server.getDefaultJsonParser('error', 'error');
  server.addContentTypeParser<string>('application/json', { parseAs: 'string' }, (request, body, done) => {
    if (RAW_PATHS.has(request.routeOptions.url ?? '')) done(null, body);
    else {
      void parse(request, body, (error, value: unknown) => {
        if (error) {
          done(error);
          return;
        }
        let revised: unknown;
        try {
          revised = request.routeOptions.url?.startsWith(ADMIN_PATHS) === true ? revise(value, body) : value;
        } catch (fault) {
          done(fault as Error);
          return;
        }
        done(null, revised);
      });
    }
  });
}
