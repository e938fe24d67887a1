import type { Picture } from '../directory/counters/counters.js';
import type { Image } from '../domain/image.js';
import type { Issuer } from '../directory/issuer.js';
import type { Overlay } from '../domain/overlay.js';
import type { PublicKey } from '../tokens/signing-key.js';
import type { Rate } from '../platform/rate-limit/rate-limit.storage.js';
import type { TokenNames } from '../domain/revocation.js';

/** A fact that is not in memory. */
export const PENDING = Symbol('PENDING');
export type Pending = typeof PENDING;

/** A fact, if it is in memory. */
export type Fact<T> = T | Pending;

/**
 * Everything that a redirect depends on beside its request and the clock. Each look-up is within one issuer: a row of
 * another issuer does not exist.
 */
export interface Facts {
  /** The client's address by `TRUST_PROXY`; undefined if it is unknown, null for the operator's own command. */
  readonly clientAddress: string | undefined | null;
  issuer(id: string): Fact<Issuer | null>;
  /** The issuer that an `iss` names which is not an issuer's id. */
  issuerOfAlias(alias: string): Fact<Issuer | null>;
  /** The keys of an issuer's JWKS, one of which may have this `kid`. */
  jwksKeys(issuer: Issuer, keyId: string): Fact<readonly PublicKey[]>;
  /** An image of this issuer, including deleted ones. */
  image(issuerId: string, id: string): Fact<Image | null>;
  /** An image of any issuer that may be shown without a token. */
  publicImage(id: string): Fact<Image | null>;
  /** The existing rows, by id: the issuer's own, and those that its account shares, which only its policy may use. */
  overlays(issuer: Issuer, ids: readonly string[]): Fact<ReadonlyMap<string, Overlay>>;
  /** Whether the token or its session is revoked. */
  isRevoked(issuerId: string, names: TokenNames): Fact<boolean>;
  /**
   * Pays for a picture of an issuer with a budget, unless it is paid.
   * @throws PictureBudgetSpentError (429) @throws CounterUnavailableError, DatabaseUnavailableError (503)
   */
  payPicture(picture: Picture): Fact<true>;
  /**
   * Consumes one request of the issuer's rate, once per redirect, even if it is decided again. From here on the request
   * is attributed to the issuer.
   * @param keyId The row of the key that verified the token; null without one.
   * @param rate The issuer's own, by its policy; null for none.
   * @throws TooManyRequestsError (429)
   */
  consumeRate(issuerId: string, keyId: string | null, rate: Rate | null): void;
}
