import { AsyncLocalStorage } from 'node:async_hooks';
import type { RequestSpan } from '../observability/tracing.js';

/** What an admin key allows: reading, and writing. */
export const SCOPES = ['read', 'write'] as const;
export type Scope = (typeof SCOPES)[number];

/** Who reads and writes rows: an admin key, the command line, or the service itself. */
export interface Actor {
  /** The name in the audit log. */
  readonly name: string;
  readonly scopes: readonly Scope[];
  /** The only issuer whose rows it reads and writes; null for all issuers. */
  readonly issuerId: string | null;
  /** When its key expires; null for never. */
  readonly expiresAt: Date | null;
}

/** The actor of a request, and its ids. */
export interface RequestContext {
  readonly actor: Actor;
  readonly requestId: string | null;
  /** Id of its idempotency key's reservation, which a created row refers to; null without a key. */
  readonly reservation: string | null;
  /** Null unless a sampled request is served. */
  readonly span: RequestSpan | null;
}

const contexts = new AsyncLocalStorage<RequestContext>();

/** Runs a function in a context, which `currentContext` returns within it. */
export function runAs<T>(context: RequestContext, run: () => Promise<T>): Promise<T> {
  return contexts.run(context, run);
}

/** Runs a function for the service itself, its command line or Cloudinary: with all rights, under that name in the audit log. */
export function runAsSystem<T>(
  name: 'cli' | 'cloudinary' | 'demo' | 'service',
  run: () => Promise<T>,
  requestId: string | null = null,
): Promise<T> {
  const actor = { name, scopes: SCOPES, issuerId: null, expiresAt: null };
  return runAs({ actor, requestId, reservation: null, span: null }, run);
}

/** The current request context, or null outside of one. */
export function currentContext(): RequestContext | null {
  return contexts.getStore() ?? null;
}

/**
 * The current actor.
 * @throws outside of a request context: rows are never read or written without an actor.
 */
export function getActor(): Actor {
  const context = currentContext();
  if (context === null) throw new Error('An admin service was called outside of a request context');
  return context.actor;
}

/** The condition that limits a query to the actor's rows; part of every query. */
export function tenantFilter(): { readonly issuerId?: string } {
  const { issuerId } = getActor();
  return issuerId === null ? {} : { issuerId };
}

/** Whether the actor may read and write rows of this issuer. */
export function canAccess(issuerId: string): boolean {
  const { issuerId: own } = getActor();
  return own === null || own === issuerId;
}
