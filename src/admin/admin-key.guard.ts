import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { FastifyRequest } from 'fastify';
import type { Actor } from './actor.js';
import { AdminKeyRequiredError, InsufficientScopeError } from './admin.errors.js';

/** Metadata of a route that keys bound to an issuer may use. */
export const BOUND_KEYS = Symbol('BOUND_KEYS');

/** Who an admin key is. */
export abstract class AdminKeyFinder {
  /** @returns null for a key that is unknown or has ended. */
  abstract findActor(key: string): Promise<Actor | null>;
}

/** Lets a request through whose `Authorization: Bearer` is an admin key (RFC 6750 §2.1) that allows the route. */
@Injectable()
export class AdminKeyGuard implements CanActivate {
  constructor(
    private readonly keys: AdminKeyFinder,
    private readonly reflector: Reflector,
  ) {}

  /** @throws AdminKeyRequiredError (401) @throws InsufficientScopeError (403) */
  async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<FastifyRequest>();
    const given = /^Bearer ([\x21-\x7e]{1,512})$/i.exec(request.headers.authorization ?? '')?.[1];
    const actor = given === undefined ? null : await this.keys.findActor(given);
    if (actor === null) throw new AdminKeyRequiredError();
    const scope = request.method === 'GET' || request.method === 'HEAD' ? 'read' : 'write';
    if (!actor.scopes.includes(scope)) throw InsufficientScopeError.ofScope(scope);
    if (actor.issuerId !== null && this.reflector.get(BOUND_KEYS, context.getHandler()) !== true) {
      throw InsufficientScopeError.ofBoundKey();
    }
    request.actor = actor;
    return true;
  }
}
