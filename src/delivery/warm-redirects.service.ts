import { Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { CloudinaryUrlService } from '../cloudinary/cloudinary-url.service.js';
import { DirectoryService, type HeldRows } from '../directory/directory.service.js';
import { tokenSpan, type Span } from '../policy/check-token.js';
import { redirectAge, redirectLife, type RedirectLife } from '../policy/redirect-age.js';
import type { TokenNames } from '../revocations/revocation.js';
import { readCompactJws } from '../tokens/compact-jws.js';
import { DeliveryLocator } from './delivery-locator.js';
import type { Delivery } from './delivery.service.js';
import { RecentTokens } from './recent-tokens.js';
import { makeRedirect, type Redirect } from './response-headers.js';
import type { SealedUrl } from './sealed-url.js';

/** Bytes that are kept at the most, about. */
const MAX_BYTES = 16 * 1024 * 1024;
/** Bytes of an entry beside its texts, about. */
const ENTRY = 600;

/**
 * A redirect that was answered, with all that it was decided by; of rows no more than that: each entry would keep its
 * own alive, at a size that nobody counts.
 */
export interface WarmRedirect extends SealedUrl {
  readonly issuerId: string;
  readonly keyId: string;
  readonly imageId: string;
  readonly rows: HeldRows;
  readonly names: TokenNames;
  readonly signedUrl: string;
  readonly redirect: Redirect;
  /** The Host that it was asked by, where the Location depends on it. */
  readonly host: string | null;
  /** When the token's own times and its key's allow it. */
  readonly span: Span;
  readonly life: RedirectLife;
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
    const { url: signedUrl, issuer, policy, key, claims, image, imageId, overlays } = delivery;
    if (claims === null || key === null) return;
    const { pathId, token } = asked;
    // Where the token names the image, a path may say anything, at any length.
    if (pathId.length > LONGEST_ID) return;
    // A placeholder stands for another row, which would have to be watched as well.
    if (image.id !== imageId) return;
    // The URL's own end moves with the clock.
    const urlEndsAt = this.urls.endOf(claims.expiresAt);
    if (claims.expiresAt === null && urlEndsAt !== null) return;
    // Beside another key's name, the moment that one begins to count decides, which changes no row.
    const { keyId: named } = readCompactJws(token);
    if (named !== null && named !== key.id) return;
    const rows = this.directory.hold({ issuer, image, overlays });
    if (rows === null) return;
    const { jwtId, sessionId } = claims;
    const { from, until } = tokenSpan(policy, claims);
    this.entries.set(keyOf(asked), {
      ...{ pathId, token, issuerId: issuer.id, keyId: key.id, imageId, rows, signedUrl },
      names: { jwtId, sessionId },
      host: this.locator.needsHost ? (host ?? null) : null,
      redirect: makeRedirect(location),
      span: {
        from: Math.max(from, key.notBefore?.getTime() ?? 0),
        until: Math.min(until, key.notAfter?.getTime() ?? Infinity),
      },
      life: redirectLife(policy, claims, urlEndsAt),
    });
  }

  /** The answer to this, or null where it must be found the whole way. Does no I/O. @param host The request's Host. */
  find(asked: SealedUrl, host: string | undefined): WarmRedirect | null {
    const key = keyOf(asked);
    const entry = this.entries.get(key);
    if (entry?.token !== asked.token || entry.pathId !== asked.pathId) return null;
    if (this.locator.needsHost && entry.host !== host) return null;
    const now = Date.now();
    const { from, until } = entry.span;
    const holds =
      now >= from &&
      now < until &&
      this.directory.isCurrent(entry.rows) &&
      this.directory.knowsRevoked(entry.issuerId, entry.names) === false;
    if (holds) return entry;
    // The whole way decides anew, and what it finds is kept anew.
    this.entries.delete(key);
    return null;
  }

  /** Seconds for which the client may keep it; 0 for not at all. */
  maxAgeOf({ life }: WarmRedirect): number {
    return redirectAge(life, Date.now() / 1000);
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
