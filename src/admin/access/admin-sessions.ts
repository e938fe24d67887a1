import type { FastifyRequest } from 'fastify';
import type { Actor } from '../../platform/actor/actor.js';

/** Finds the actor of a session cookie. Not provided if no page creates sessions. */
export abstract class AdminSessions {
  /**
   * @returns null without a session, or for an expired one.
   * @throws CrossSiteRequestError (403) for a request with a session that may come from another site's page.
   */
  abstract findActor(request: FastifyRequest): Promise<Actor | null>;
}
