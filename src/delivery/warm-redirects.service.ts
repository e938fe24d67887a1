import { Inject, Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { CloudinaryUrlService } from '../cloudinary/cloudinary-url.service.js';
import { ENVIRONMENT } from '../config/config.module.js';
import type { Environment } from '../config/environment.js';
import { DirectoryService } from '../directory/directory.service.js';
import { tokenSpan, type Span } from '../policy/check-token.js';
import { redirectAge } from '../policy/redirect-age.js';
import type { TokenClaims } from '../tokens/token-claims.js';
import { isLive } from '../tokens/token.service.js';
import type { Delivery } from './delivery.service.js';
import { RecentNames } from './recent-names.js';
import type { Redirect } from './response-headers.js';

/** Bytes of URLs and answers that are kept at the most. */
const MAX_BYTES = 16 * 1024 * 1024;
/** Bytes of an entry beside its texts, about. */
const ENTRY = 600;

/** The one form of URL that is kept: what else a query may hold has no effect, and would make many names for one. */
const SEALED_URL = /^\/images\/[^/?#]+\?token=[\w.-]+$/;

/** A redirect that was answered, with all that it was decided by. */
export interface WarmRedirect extends Pick<Delivery, 'issuer' | 'policy' | 'image' | 'overlays'> {
  readonly claims: TokenClaims;
  readonly key: NonNullable<Delivery['key']>;
  readonly redirect: Redirect;
  /** The Host that it was asked by, where the Location depends on it. */
  readonly host: string | null;
  /** When the token's own times allow it. */
  readonly span: Span;
}

/**
 * Redirects that were answered before, by their whole URL, token and all: what was verified once need not be verified
 * again as long as every row behind it is the same and every time still holds. A URL gets in only after its token was
 * accepted, and the second time, so that tokens that are used once push nothing out.
 */
@Injectable()
export class WarmRedirects {
  private readonly entries = new LRUCache<string, WarmRedirect>({
    maxSize: MAX_BYTES,
    sizeCalculation: ({ redirect }, url) => ENTRY + url.length + 2 * redirect.location.length,
  });
  private readonly answeredOnce = new RecentNames();
  private readonly needsHost: boolean;
  private readonly keepsNothing: boolean;

  constructor(
    private readonly directory: DirectoryService,
    private readonly urls: CloudinaryUrlService,
    @Inject(ENVIRONMENT)
    { deliveryMode, publicUrl, trustProxy }: Pick<Environment, 'deliveryMode' | 'publicUrl' | 'trustProxy'>,
  ) {
    this.needsHost = deliveryMode !== 'cloudinary' && publicUrl === null;
    // Then the origin is what a proxy says of each request.
    this.keepsNothing = this.needsHost && trustProxy !== false;
  }

  /** How much is kept; bytes about. */
  get size(): { readonly entries: number; readonly bytes: number } {
    return { entries: this.entries.size, bytes: this.entries.calculatedSize };
  }

  /** Remembers what was just answered. @param host The request's Host. */
  keep(url: string, host: string | undefined, delivery: Delivery, redirect: Redirect): void {
    const { issuer, policy, key, claims, image, overlays } = delivery;
    if (this.keepsNothing || claims === null || key === null) return;
    // A placeholder stands for another row, which would have to be watched as well.
    if (image.id !== delivery.imageId) return;
    // The URL's own end moves with the clock.
    if (claims.expiresAt === null && this.urls.endOf(null) !== null) return;
    if (!this.answeredOnce.has(url) || !SEALED_URL.test(url)) return;
    this.entries.set(url, {
      ...{ issuer, policy, key, claims, image, overlays, redirect },
      host: this.needsHost ? (host ?? null) : null,
      span: tokenSpan(policy, claims),
    });
  }

  /** The answer to this URL, or null where it must be found the whole way. Does no I/O. @param host The request's Host. */
  find(url: string, host: string | undefined): WarmRedirect | null {
    const entry = this.entries.get(url);
    if (entry === undefined || (this.needsHost && entry.host !== host)) return null;
    const now = Date.now();
    const { from, until } = entry.span;
    const holds =
      now >= from &&
      now < until &&
      isLive(entry.key, now) &&
      this.directory.isCurrent(entry) &&
      this.directory.isRevoked(entry.issuer.id, entry.claims) === false;
    return holds ? entry : null;
  }

  /** Seconds for which the client may keep it; 0 for not at all. */
  maxAgeOf({ policy, claims }: WarmRedirect): number {
    if (policy.redirectMaxAge === 0) return 0;
    return redirectAge(policy, claims, this.urls.endOf(claims.expiresAt), Date.now() / 1000);
  }
}
