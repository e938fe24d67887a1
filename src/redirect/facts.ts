import type { Image } from '../domain/image.js';
import type { Issuer } from '../directory/issuer.js';
import type { Overlay } from '../domain/overlay.js';
import type { TokenNames } from '../domain/revocation.js';

/** Stands for a fact that is not in memory. */
export const PENDING = Symbol('PENDING');
export type Pending = typeof PENDING;

/** A fact as far as it is in memory. */
export type Fact<T> = T | Pending;

/**
 * What a redirect may rest on beside its request and the clock. Every look-up is within one issuer: a row of another
 * issuer is one that does not exist.
 */
export interface Facts {
  issuer(id: string): Fact<Issuer | null>;
  /** An image of this issuer, deleted ones included. */
  image(issuerId: string, id: string): Fact<Image | null>;
  /** An image that may be shown without a token, of any issuer. */
  publicImage(id: string): Fact<Image | null>;
  /** The rows that exist, by id. */
  overlays(issuerId: string, ids: readonly string[]): Fact<ReadonlyMap<string, Overlay>>;
  /** Whether the token, or its session, is revoked. */
  isRevoked(issuerId: string, names: TokenNames): Fact<boolean>;
  /**
   * Consumes one request of the issuer's rate, once however often the redirect is decided. From here on the request is
   * known to be this issuer's.
   * @param keyId The key that signed the token; null without one.
   * @throws TooManyRequestsError (429)
   */
  allowance(issuerId: string, keyId: string | null): Fact<true>;
}
