import { Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { CloudinaryUrlService } from '../cloudinary/cloudinary-url.service.js';
import { DirectoryService, type HeldRows } from '../directory/directory.service.js';
import { tokenSpan, type Span } from '../policy/check-token.js';
import { redirectAge } from '../policy/redirect-age.js';
import type { TokenClaims } from '../tokens/token-claims.js';
import { isLive } from '../tokens/token.service.js';
import { DeliveryLocator } from './delivery-locator.js';
import type { Delivery } from './delivery.service.js';
import { RecentTokens } from './recent-tokens.js';
import { makeRedirect, type Redirect } from './response-headers.js';
import type { SealedUrl } from './sealed-url.js';

/** Bytes that are kept at the most, about. */
const MAX_BYTES = 16 * 1024 * 1024;
/** Bytes of an entry beside its texts, about. */
const ENTRY = 600;

/** Claims that a known token is judged by again. */
type KeptClaims = Pick<TokenClaims, 'jwtId' | 'sessionId' | 'expiresAt' | 'issuedAt'>;

/** A redirect that was answered, with all that it was decided by. */
export interface WarmRedirect extends SealedUrl, Pick<Delivery, 'issuer' | 'policy' | 'image'> {
  readonly rows: HeldRows;
  readonly claims: KeptClaims;
  readonly key: NonNullable<Delivery['key']>;
  readonly signedUrl: string;
  readonly redirect: Redirect;
  /** The Host that it was asked by, where the Location depends on it. */
  readonly host: string | null;
  /** When the token's own times allow it. */
  readonly span: Span;
}

/**
 * Redirects that were answered before, by image and token: what was verified once need not be verified
 * again as long as every row behind it is the same and every time still holds. One gets in only after its token was
 * accepted, and the second time, so that tokens that are used once push nothing out.
 */
@Injectable()
export class WarmRedirects {
  private readonly entries = new LRUCache<string, WarmRedirect>({
    maxSize: MAX_BYTES,
    sizeCalculation: ({ pathId, token, host, redirect }) =>
      ENTRY + 2 * pathId.length + token.length + (host?.length ?? 0) + 3 * redirect.location.length,
  });
  private readonly accepted = new RecentTokens();

  constructor(
    private readonly directory: DirectoryService,
    private readonly urls: CloudinaryUrlService,
    private readonly locator: DeliveryLocator,
  ) {}

  /** How much is kept; bytes about. */
  get size(): { readonly entries: number; readonly bytes: number } {
    return { entries: this.entries.size, bytes: this.entries.calculatedSize };
  }

  /**
   * Whether a token was accepted lately: only then it is worth to look for its redirect, and to keep it.
   * @param text The token, or a URL that ends with it.
   */
  wasAccepted(text: string): boolean {
    return this.accepted.has(text);
  }

  /** Remembers that a token was accepted. */
  note(token: string): void {
    this.accepted.add(token);
  }

  /** Remembers what was just answered. @param asked Of the plain form. @param host The request's Host. */
  keep(asked: SealedUrl, host: string | undefined, delivery: Delivery, location: string): void {
    const { url: signedUrl, issuer, policy, key, claims, image, overlays } = delivery;
    if (claims === null || key === null) return;
    const { pathId, token } = asked;
    // Where the token names the image, a path may say anything, at any length.
    if (pathId.length > LONGEST_ID) return;
    // A placeholder stands for another row, which would have to be watched as well.
    if (image.id !== delivery.imageId) return;
    // The URL's own end moves with the clock.
    if (claims.expiresAt === null && this.urls.endOf(null) !== null) return;
    const rows = this.directory.hold({ issuer, image, overlays });
    if (rows === null) return;
    const { jwtId, sessionId, expiresAt, issuedAt } = claims;
    this.entries.set(keyOf(asked), {
      ...{ pathId, token },
      ...{ issuer, policy, key, image, rows, signedUrl },
      // Its steps may be large, and are not asked for again.
      claims: { jwtId, sessionId, expiresAt, issuedAt },
      host: this.locator.needsHost ? (host ?? null) : null,
      redirect: makeRedirect(location),
      span: tokenSpan(policy, claims),
    });
  }

  /** The answer to this, or null where it must be found the whole way. Does no I/O. @param host The request's Host. */
  find(asked: SealedUrl, host: string | undefined): WarmRedirect | null {
    const entry = this.entries.get(keyOf(asked));
    if (entry?.token !== asked.token || entry.pathId !== asked.pathId) return null;
    if (this.locator.needsHost && entry.host !== host) return null;
    const now = Date.now();
    const { from, until } = entry.span;
    const holds =
      now >= from &&
      now < until &&
      isLive(entry.key, now) &&
      this.directory.isCurrent(entry.rows) &&
      this.directory.knowsRevoked(entry.issuer.id, entry.claims) === false;
    return holds ? entry : null;
  }

  /** Seconds for which the client may keep it; 0 for not at all. */
  maxAgeOf({ policy, claims }: WarmRedirect): number {
    return redirectAge(policy, claims, this.urls.endOf(claims.expiresAt), Date.now() / 1000);
  }
}

/** Characters of a UUID. */
const LONGEST_ID = 36;
/** Characters of a token that tell it from others: its signature is no shorter. */
const TOLD_BY = 43;

/** What to look by: a short text has its hash sooner. The rest is compared. */
function keyOf({ pathId, token }: SealedUrl): string {
  return pathId + token.slice(-TOLD_BY);
}
