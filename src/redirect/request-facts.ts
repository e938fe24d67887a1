import type { Picture } from '../directory/counters/counters.js';
import { verdictOf, type DirectoryService } from '../directory/directory.service.js';
import type { CachedRow } from '../directory/record-cache.js';
import type { Image } from '../domain/image.js';
import type { IssuerKeyUses } from '../directory/issuer-key-uses.service.js';
import type { Issuer } from '../directory/issuer.js';
import type { JwksService } from '../directory/jwks.service.js';
import type { Rate } from '../platform/rate-limit/rate-limit.storage.js';
import type { RateLimits } from '../platform/rate-limit/rate-limits.js';
import type { RequestSpan } from '../platform/observability/tracing.js';
import { isVisible, type Overlay } from '../domain/overlay.js';
import type { TokenNames } from '../domain/revocation.js';
import type { PublicKey } from '../tokens/signing-key.js';
import { type Fact, type Facts, PENDING } from './facts.js';
import type { PictureBudget } from './picture-budget.service.js';

/** The sources of facts. */
export interface FactSources {
  readonly directory: DirectoryService;
  readonly jwks: JwksService;
  readonly limits: RateLimits;
  readonly keyUses: IssuerKeyUses;
  readonly pictures: PictureBudget;
}

/** What facts contribute to a request's log line and its trace. */
export interface RequestTrail {
  /** The issuer whose rate the request consumed. */
  issuerId: string | null;
  /** The parent of the look-ups' spans; null unless the request is sampled for a trace. */
  readonly span: RequestSpan | null;
  /** The client's address by `TRUST_PROXY`; undefined if it is unknown, null for the operator's own command. */
  readonly address: string | undefined | null;
}

/**
 * The facts of one request: cached rows, and rows that were loaded for it. Records each cached row that it returns: the
 * decision depends on them.
 */
export class RequestFacts implements Facts {
  /** The cached rows that were returned since the last load. */
  readonly usedRows: CachedRow<object>[] = [];
  /** Whether a returned row is in no cache (any more): a decision that used it must not be cached. */
  usedUncachedRow = false;
  /** The issuer that the request concerns, once it is known to exist, even if the token is then refused. */
  issuerId: string | null = null;
  /** Values loaded for this request, by name; null until the first load. */
  private loaded: Map<string, unknown> | null = null;
  private loads: Promise<void>[] = [];
  private isCounted = false;

  constructor(
    private readonly sources: FactSources,
    private readonly trail: RequestTrail,
  ) {}

  get clientAddress(): string | undefined | null {
    return this.trail.address;
  }

  issuer(id: string): Fact<Issuer | null> {
    const { directory } = this.sources;
    const cached = directory.cachedIssuer(id);
    const issuer =
      cached === undefined
        ? this.load(`issuer:${id}`, () => directory.loadIssuer(id, this.trail.span))
        : this.use(cached);
    if (issuer !== PENDING && issuer !== null) this.issuerId = id;
    return issuer;
  }

  issuerOfAlias(alias: string): Fact<Issuer | null> {
    const { directory } = this.sources;
    const cached = directory.cachedIssuerAliases();
    const ids = cached?.row?.ids ?? null;
    let id: Fact<string | null>;
    if (cached === undefined || ids === null) {
      id = this.load('alias', () => directory.loadIssuerIdOfAlias(alias, this.trail.span));
    } else {
      this.use(cached);
      id = ids.get(alias) ?? null;
    }
    return id === null || id === PENDING ? id : this.issuer(id);
  }

  jwksKeys(issuer: Issuer, keyId: string): Fact<readonly PublicKey[]> {
    const { jwks } = this.sources;
    const cached = jwks.find(issuer, keyId);
    return cached?.row ? (this.use(cached) ?? []) : this.load('jwks', () => jwks.load(issuer, keyId));
  }

  image(issuerId: string, id: string): Fact<Image | null> {
    const { directory } = this.sources;
    const cached = directory.cachedImage(issuerId, id);
    return cached === undefined
      ? this.load(`image:${id}`, () => directory.loadImage(issuerId, id, this.trail.span))
      : this.use(cached);
  }

  publicImage(id: string): Fact<Image | null> {
    const { directory } = this.sources;
    const cached = directory.cachedPublicImage(id);
    return cached === undefined
      ? this.load('public_image', () => directory.loadPublicImage(id, this.trail.span))
      : this.use(cached);
  }

  overlays(issuer: Issuer, ids: readonly string[]): Fact<ReadonlyMap<string, Overlay>> {
    const { directory } = this.sources;
    const overlays = new Map<string, Overlay>();
    let isPending = false;
    for (const id of ids) {
      const cached = directory.cachedOverlay(id);
      const overlay =
        cached === undefined
          ? this.load(`overlay:${id}`, () => directory.loadOverlay(id, this.trail.span))
          : this.use(cached);
      if (overlay === PENDING) isPending = true;
      else if (overlay !== null && isVisible(overlay, issuer)) overlays.set(id, overlay);
    }
    return isPending ? PENDING : overlays;
  }

  isRevoked(issuerId: string, names: TokenNames): Fact<boolean> {
    if (names.jwtId === null && names.sessionId === null) return false;
    const { directory } = this.sources;
    const cached = directory.cachedRevocations(issuerId);
    const verdict = cached?.row ? verdictOf(cached.row, names) : undefined;
    if (cached === undefined || verdict === undefined) {
      return this.load('revoked', () => directory.loadIsRevoked(issuerId, names, this.trail.span));
    }
    this.use(cached);
    return verdict;
  }

  payPicture(picture: Picture): Fact<true> {
    const { pictures } = this.sources;
    const now = Date.now();
    return pictures.isPaid(picture, now) ? true : this.load('picture', () => pictures.pay(picture, now));
  }

  consumeRate(issuerId: string, keyId: string | null, rate: Rate | null): void {
    if (this.isCounted) return;
    this.isCounted = true;
    this.trail.issuerId = issuerId;
    this.sources.limits.consumeIssuer(issuerId, rate);
    if (keyId !== null) this.sources.keyUses.count(keyId);
  }

  /** Loads all pending facts; then decide again. @throws what a load throws: DatabaseUnavailableError (503) */
  async loadPending(): Promise<void> {
    const { loads } = this;
    this.loads = [];
    this.usedRows.length = 0;
    await Promise.all(loads);
  }

  private use<T extends object>(cached: CachedRow<T>): T | null {
    this.usedRows.push(cached);
    return cached.row;
  }

  private load<T>(name: string, load: () => Promise<T>): Fact<T> {
    const loaded = (this.loaded ??= new Map());
    if (loaded.has(name)) {
      this.usedUncachedRow = true;
      return loaded.get(name) as T;
    }
    this.loads.push(
      load().then((value) => {
        loaded.set(name, value);
      }),
    );
    return PENDING;
  }
}
