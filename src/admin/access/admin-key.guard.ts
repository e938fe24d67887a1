import { type CanActivate, type ExecutionContext, Injectable, Optional } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { FastifyRequest } from 'fastify';
import type { Actor } from '../../platform/actor/actor.js';
import { AdminKeyRequiredError, InsufficientScopeError } from '../requests/admin.errors.js';
import { AdminSessions } from './admin-sessions.js';

/** Metadata of a route that keys bound to an issuer may use. */
export const BOUND_KEYS = Symbol('BOUND_KEYS');

/** What tells an admin key from others, and does not give it away to who finds it again. */
export interface AdminKeyReference {
  /** Of the key's row; null for a key of the environment. */
  readonly prefix: string | null;
  /** SHA-256 of the key. */
  readonly digest: Buffer;
}

/** Characters of a key that is looked up. */
const MAX_LENGTH = 512;

/** Who an admin key is. */
export abstract class AdminKeyFinder {
  /** A reference by which the key is found later; whether there is such a key is not looked at. */
  abstract referTo(key: string): AdminKeyReference;

  /** @returns null for a key that is unknown or has ended. */
  abstract findActor(reference: AdminKeyReference): Promise<Actor | null>;
}

/**
 * Lets a request through whose `Authorization: Bearer` is an admin key (RFC 6750 §2.1) that allows the route, or which
 * carries a session of one.
 */
@Injectable()
export class AdminKeyGuard implements CanActivate {
  constructor(
    private readonly keys: AdminKeyFinder,
    private readonly reflector: Reflector,
    @Optional() private readonly sessions?: AdminSessions,
  ) {}

  /** @throws AdminKeyRequiredError (401) @throws InsufficientScopeError, CrossSiteRequestError (403) */
  async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<FastifyRequest>();
    const actor = await this.getActor(request);
    const scope = request.method === 'GET' || request.method === 'HEAD' ? 'read' : 'write';
    if (!actor.scopes.includes(scope)) throw InsufficientScopeError.ofScope(scope);
    if (actor.issuerId !== null && this.reflector.get(BOUND_KEYS, context.getHandler()) !== true) {
      throw InsufficientScopeError.ofBoundKey();
    }
    request.actor = actor;
    return true;
  }

  private async getActor(request: FastifyRequest): Promise<Actor> {
    const { authorization } = request.headers;
    if (authorization === undefined) {
      const actor = await this.sessions?.findActor(request);
      if (actor == null) throw new AdminKeyRequiredError();
      return actor;
    }
    const key = /^Bearer ([\x21-\x7e]+)$/i.exec(authorization)?.[1];
    if (key === undefined) throw AdminKeyRequiredError.ofForm();
    const actor = key.length > MAX_LENGTH ? null : await this.keys.findActor(this.keys.referTo(key));
    if (actor === null) throw AdminKeyRequiredError.ofInvalidKey();
    return actor;
  }
}
