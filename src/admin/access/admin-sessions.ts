import type { FastifyRequest } from 'fastify';
import type { Actor } from '../../platform/actor/actor.js';

/** Whose session a request carries in a cookie; there is none of these where no page opens sessions. */
export abstract class AdminSessions {
  /**
   * @returns null without a session, or for one that has ended.
   * @throws CrossSiteRequestError (403) for a request with a session that another site's page may have sent.
   */
  abstract findActor(request: FastifyRequest): Promise<Actor | null>;
}
