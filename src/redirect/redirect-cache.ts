import { Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import type { CachedRow } from '../directory/record-cache.js';
import type { RequestOrigin } from '../platform/http/request-origin.js';
import { includesInstant, type ValidityPeriod } from '../tokens/validity-period.js';
import type { Redirect } from './redirect.js';
import { SeenTokens } from './seen-tokens.js';

/** Approximate bytes of all entries. */
const MAX_BYTES = 16 * 1024 * 1024;
/** Approximate bytes of an entry without its strings. */
const ENTRY_BYTES = 600;
/** Approximate bytes of an address range: an object and its array of eight numbers. */
const RANGE_BYTES = 160;
/** Approximate bytes of the last client's variant, with an `Accept` of usual length. */
const VARIANT_BYTES = 600;
/** Characters of a UUID. If the token names the image, the path may be a name of any length. */
const MAX_PATH_ID = 36;
/** Characters that identify a token: its signature has at least as many. */
const SIGNATURE_KEY_LENGTH = 43;

/** Identifies a cached redirect. */
export interface CacheKey {
  readonly pathId: string;
  readonly token: string;
  /** Null unless the Location depends on it. */
  readonly origin: RequestOrigin | null;
}

interface Entry extends CacheKey {
  readonly redirect: Redirect;
  /** The facts that the decision read. */
  readonly facts: readonly CachedRow<object>[];
  readonly validity: ValidityPeriod;
}

/**
 * Decided redirects. An entry is used while all the facts that its decision read are fresh and the time is within its
 * validity. It keeps no row in memory: a row that is evicted from its cache is dropped from here too. A redirect is cached when its token is
 * accepted a second time, so that tokens used once evict nothing.
 */
@Injectable()
export class RedirectCache {
  private readonly entries = new LRUCache<string, Entry>({
    maxSize: MAX_BYTES,
    sizeCalculation: ({ pathId, token, origin, redirect: { location, url, addresses, proxied } }) =>
      ENTRY_BYTES +
      2 * pathId.length +
      token.length +
      (origin?.host?.length ?? 0) +
      3 * (location || url).length +
      RANGE_BYTES * (addresses?.length ?? 0) +
      (proxied === null ? 0 : proxied.target.length + proxied.disposition.length + VARIANT_BYTES),
  });
  private readonly seen = new SeenTokens();

  /** Number of entries, and their approximate bytes. */
  get size(): { readonly entries: number; readonly bytes: number } {
    return { entries: this.entries.size, bytes: this.entries.calculatedSize };
  }

  /** @param now Milliseconds since 1970. */
  get(key: CacheKey, now: number): Redirect | null {
    if (!this.seen.has(key.token)) return null;
    const text = textOf(key);
    const entry = this.entries.get(text);
    if (entry?.token !== key.token || entry.pathId !== key.pathId || !isSame(entry.origin, key.origin)) {
      return null;
    }
    if (includesInstant(entry.validity, now) && entry.facts.every(isFresh)) return entry.redirect;
    this.entries.delete(text);
    return null;
  }

  /** Caches a redirect whose token was seen before, and marks the token as seen. */
  set(
    { pathId, token, origin }: CacheKey,
    redirect: Redirect,
    facts: readonly CachedRow<object>[],
    validity: ValidityPeriod,
  ): void {
    if (!this.seen.has(token)) {
      this.seen.add(token);
      return;
    }
    if (pathId.length > MAX_PATH_ID) return;
    const entry = { pathId, token, origin, redirect, facts: [...facts], validity };
    this.entries.set(textOf(entry), entry);
  }
}

const isFresh = (fact: CachedRow<object>): boolean => fact.isFresh;

/** A short string is hashed faster than a whole token; `get` compares the rest. */
function textOf({ pathId, token }: CacheKey): string {
  return pathId + token.slice(-SIGNATURE_KEY_LENGTH);
}

function isSame(one: RequestOrigin | null, other: RequestOrigin | null): boolean {
  return one?.host === other?.host && one?.protocol === other?.protocol;
}
