import { AsyncLocalStorage } from 'node:async_hooks';

/** What an admin key allows: to look, and to change. */
export const SCOPES = ['read', 'write'] as const;
export type Scope = (typeof SCOPES)[number];

/** Who works on the rows: an admin key, the command line, or the service itself. */
export interface Actor {
  /** As the audit log has it. */
  readonly name: string;
  readonly scopes: readonly Scope[];
  /** The one issuer whose rows it sees and changes; null for all of them. */
  readonly issuerId: string | null;
  /** When its key ends; null for never. */
  readonly expiresAt: Date | null;
}

/** One piece of an actor's work, such as a request. */
export interface RequestContext {
  readonly actor: Actor;
  readonly requestId: string | null;
  /** The reservation of its idempotency key, in whose name it creates a row. */
  readonly reservation: string | null;
}

const contexts = new AsyncLocalStorage<RequestContext>();
let activeCount = 0;

/** Runs what an actor does; it is known to everything that is called from there until it ends. */
export async function runAs<T>(context: RequestContext, run: () => Promise<T>): Promise<T> {
  activeCount += 1;
  try {
    return await contexts.run(context, run);
  } finally {
    activeCount -= 1;
    // Before Node 24 a storage that was used once hooks into every promise and timer of the process from then on, and
    // each redirect would pay for the last admin request.
    if (activeCount === 0) contexts.disable();
  }
}

/**
 * Runs what the service itself, its command line or Cloudinary does: with every right, under that name in the audit
 * log.
 */
export function runAsSystem<T>(
  name: 'cli' | 'cloudinary' | 'demo' | 'service',
  run: () => Promise<T>,
  requestId: string | null = null,
): Promise<T> {
  const actor = { name, scopes: SCOPES, issuerId: null, expiresAt: null };
  return runAs({ actor, requestId, reservation: null }, run);
}

/** The work under way; null where nobody works. */
export function currentContext(): RequestContext | null {
  return contexts.getStore() ?? null;
}

/**
 * Who works.
 * @throws where nobody does: rows are never handed out, or written, without someone to whom they may be shown.
 */
export function getActor(): Actor {
  const context = currentContext();
  if (context === null) throw new Error('An admin service was asked outside of anybody’s work');
  return context.actor;
}

/** The condition that keeps a query within the actor's rows: part of the SQL of each of them. */
export function tenantFilter(): { readonly issuerId?: string } {
  const { issuerId } = getActor();
  return issuerId === null ? {} : { issuerId };
}

/** Whether a row of this issuer is one of the actor's. */
export function canAccess(issuerId: string): boolean {
  const { issuerId: own } = getActor();
  return own === null || own === issuerId;
}
