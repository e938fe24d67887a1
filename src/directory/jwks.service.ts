import { Injectable, Logger } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { readJwks } from '../tokens/jwks.js';
import type { PublicKey } from '../tokens/signing-key.js';
import { JwksUnavailableError } from '../tokens/token.errors.js';
import { fetchJwks } from './fetch-jwks.js';
import type { Issuer } from './issuer.js';
import { JwksNetwork } from './jwks-network.js';
import type { CachedRow } from './record-cache.js';

/** Milliseconds after which keys that are used are fetched again, while the old ones are used. */
const REFRESH_AFTER = 5 * 60_000;
/** Milliseconds after which a request waits for the refresh, unless the last one failed. */
const WAIT_AFTER = 2 * REFRESH_AFTER;
/** Milliseconds for which keys are used that cannot be fetched again. */
const MAX_AGE = 24 * 60 * 60_000;
/** Milliseconds between two fetches of one issuer: for an unknown `kid`, or after a failure. */
const RETRY_AFTER = 30_000;
/** Issuers whose keys are in memory. */
const MAX_ISSUERS = 1_000;
/** Fetches at once. */
const MAX_FETCHES = 16;

/** The response of a fetch. */
interface FetchedKeys {
  readonly document: Buffer;
  readonly keys: readonly PublicKey[];
}

/** The keys of one fetch, and of later ones with the same response. */
class KeySet implements CachedRow<readonly PublicKey[]> {
  constructor(
    private readonly source: Source,
    readonly document: Buffer,
    readonly row: readonly PublicKey[],
  ) {}

  /** Whether a decision that used these keys is still valid. */
  get isFresh(): boolean {
    return this.source.isCurrent(this);
  }

  has(keyId: string): boolean {
    return this.row.some(({ id }) => id === keyId);
  }
}

/** The keys of one issuer's `jwks_url`. All times are of `performance.now()`. */
class Source {
  current: KeySet | null = null;
  private fetchedAt = -Infinity;
  private attemptedAt = -Infinity;
  private hasFailed = false;
  private fetching: Promise<void> | null = null;

  /** @param fetch Returns null if it cannot start now. Its errors are its own to report. */
  constructor(private readonly fetch: () => Promise<FetchedKeys | null>) {}

  /** The keys that are used for this `kid`; null if no usable keys are in memory. Refreshes old keys. */
  find(keyId: string): KeySet | null {
    if (this.mustWait(keyId)) return null;
    if (this.age >= REFRESH_AFTER) void this.refresh();
    return this.isUsable(keyId) ? this.current : null;
  }

  /** @returns null if the keys are unavailable. */
  async load(keyId: string): Promise<KeySet | null> {
    if (this.mustWait(keyId)) await this.refresh();
    return this.isUsable(keyId) ? this.current : null;
  }

  isCurrent(keys: KeySet): boolean {
    if (this.current !== keys || this.age >= MAX_AGE) return false;
    if (this.age >= REFRESH_AFTER) void this.refresh();
    return this.age < WAIT_AFTER || this.hasFailed;
  }

  private get age(): number {
    return performance.now() - this.fetchedAt;
  }

  private get canFetch(): boolean {
    return this.fetching !== null || performance.now() - this.attemptedAt >= RETRY_AFTER;
  }

  private mustWait(keyId: string): boolean {
    if (!this.canFetch) return false;
    return this.age >= (this.hasFailed ? MAX_AGE : WAIT_AFTER) || this.current?.has(keyId) !== true;
  }

  /** With keys that could not be refreshed, an unknown `kid` may be a new one. */
  private isUsable(keyId: string): boolean {
    return this.age < MAX_AGE && (!this.hasFailed || this.current?.has(keyId) === true);
  }

  private refresh(): Promise<void> {
    if (this.fetching !== null) return this.fetching;
    if (!this.canFetch) return Promise.resolve();
    this.fetching = this.update().finally(() => {
      this.fetching = null;
    });
    return this.fetching;
  }

  /** Never rejects: nothing waits for a refresh in the background. */
  private async update(): Promise<void> {
    const startedAt = performance.now();
    try {
      const fetched = await this.fetch();
      if (fetched === null) return;
      const { document, keys } = fetched;
      // The same set stays: cached redirects depend on it.
      if (this.current?.document.equals(document) !== true) this.current = new KeySet(this, document, keys);
      this.fetchedAt = startedAt;
      this.hasFailed = false;
    } catch {
      this.hasFailed = true;
    }
    this.attemptedAt = startedAt;
  }
}

/**
 * The public keys that issuers publish at their `jwks_url`, in memory. They are fetched when a token needs them, and
 * refreshed while they are used.
 */
@Injectable()
export class JwksService {
  private readonly logger = new Logger(JwksService.name);
  private readonly sources = new LRUCache<string, Source>({ max: MAX_ISSUERS });
  private underWay = 0;

  constructor(private readonly network: JwksNetwork) {}

  /** The keys of an issuer, one of which may have this `kid`; undefined if `load` must be called. */
  find(issuer: Pick<Issuer, 'id' | 'jwksUrl'>, keyId: string): CachedRow<readonly PublicKey[]> | undefined {
    return this.sourceOf(issuer).find(keyId) ?? undefined;
  }

  /** @throws JwksUnavailableError (503) if they cannot be fetched, and are not or no longer in memory. */
  async load(issuer: Pick<Issuer, 'id' | 'jwksUrl'>, keyId: string): Promise<readonly PublicKey[]> {
    const keys = await this.sourceOf(issuer).load(keyId);
    if (keys === null) throw new JwksUnavailableError();
    return keys.row;
  }

  private sourceOf({ id, jwksUrl }: Pick<Issuer, 'id' | 'jwksUrl'>): Source {
    const name = `${id} ${jwksUrl ?? ''}`;
    let source = this.sources.get(name);
    if (source === undefined) {
      source = new Source(() => this.fetch(id, jwksUrl ?? ''));
      this.sources.set(name, source);
    }
    return source;
  }

  private async fetch(issuerId: string, url: string): Promise<FetchedKeys | null> {
    if (this.underWay >= MAX_FETCHES) return null;
    this.underWay += 1;
    try {
      const document = await fetchJwks(new URL(url), this.network);
      return { document, keys: readJwks(document) };
    } catch (error) {
      const reason = error instanceof Error ? error.message : 'no reason';
      this.logger.warn(`The JWKS of issuer ${issuerId} cannot be used: ${reason}`);
      throw error;
    } finally {
      this.underWay -= 1;
    }
  }
}
