import { type CanActivate, type ExecutionContext, Injectable, Optional } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { FastifyRequest } from 'fastify';
import type { Actor } from '../../platform/actor/actor.js';
import { AdminKeyRequiredError, InsufficientScopeError } from '../requests/admin.errors.js';
import { AdminSessions } from './admin-sessions.js';

/** Metadata of routes that keys bound to an issuer may use. */
export const BOUND_KEYS = Symbol('BOUND_KEYS');

/** Identifies an admin key without revealing it. */
export interface AdminKeyReference {
  /** The row's prefix; null for a key of the environment. */
  readonly prefix: string | null;
  /** SHA-256 of the key. */
  readonly digest: Buffer;
}

/** Longer keys are refused without a look-up. */
const MAX_LENGTH = 512;

/** Finds the owner of an admin key. */
export abstract class AdminKeyFinder {
  /** The key's reference, whether or not the key exists. */
  abstract referTo(key: string): AdminKeyReference;

  /** @returns null for a key that is unknown or expired. */
  abstract findActor(reference: AdminKeyReference): Promise<Actor | null>;
}

/** Accepts a request whose `Authorization: Bearer` (RFC 6750 §2.1) or session is of an admin key that allows the route. */
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
