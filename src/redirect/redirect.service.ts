import { Inject, Injectable } from '@nestjs/common';
import { CloudinaryUrlService } from '../cloudinary/cloudinary-url.service.js';
import { DownloadUrlService } from '../cloudinary/download-url.service.js';
import { DirectoryService } from '../directory/directory.service.js';
import { IssuerKeyUses } from '../directory/issuer-key-uses.service.js';
import { JwksService } from '../directory/jwks.service.js';
import { ENVIRONMENT } from '../platform/config/config.module.js';
import type { Environment } from '../platform/config/environment.js';
import { IssuerUsage } from '../directory/issuer-usage.service.js';
import { ProblemError } from '../domain/problem.error.js';
import { RateLimits } from '../platform/rate-limit/rate-limits.js';
import { offersFile } from '../policy/base-chain.js';
import type { RequestOrigin } from '../platform/http/request-origin.js';
import { TokenService } from '../tokens/token.service.js';
import { isEmpty } from '../tokens/validity-period.js';
import { TransformationMapper } from '../transformations/transformation.mapper.js';
import {
  decideRedirect,
  keyRowOf,
  type RedirectDecision,
  type RedirectRequest,
  type RedirectServices,
} from './decide-redirect.js';
import { requireAddress } from './address-binding.js';
import { dispositionOf } from './content-disposition.js';
import { PENDING } from './facts.js';
import { LocationBuilder } from './location-builder.js';
import { PictureBudget } from './picture-budget.service.js';
import { type CacheKey, RedirectCache } from './redirect-cache.js';
import type { ProxiedImage, Redirect } from './redirect.js';
import { type FactSources, type RequestTrail, RequestFacts } from './request-facts.js';
import { useOf } from './token-uses.service.js';

/** A value, or a promise of it if I/O is needed. */
export type MaybePromise<T> = T | Promise<T>;

/** A redirect, and whether it came from the cache. */
export interface FoundRedirect {
  readonly redirect: Redirect;
  readonly isCached: boolean;
}

/** Finds redirects: in the cache, else by a decision. Loads facts that are not in memory. */
@Injectable()
export class RedirectService {
  private readonly sources: FactSources;
  private readonly services: RedirectServices;

  constructor(
    directory: DirectoryService,
    jwks: JwksService,
    limits: RateLimits,
    keyUses: IssuerKeyUses,
    pictures: PictureBudget,
    tokens: TokenService,
    mapper: TransformationMapper,
    urls: CloudinaryUrlService,
    downloads: DownloadUrlService,
    private readonly usage: IssuerUsage,
    private readonly cache: RedirectCache,
    private readonly locations: LocationBuilder,
    @Inject(ENVIRONMENT) { proxy }: Pick<Environment, 'proxy'>,
  ) {
    this.sources = { directory, jwks, limits, keyUses, pictures };
    this.services = { canProxy: proxy !== null, tokens, mapper, urls, downloads };
  }

  /**
   * @param origin The origin of the request; may be null if `LocationBuilder` needs none.
   * @param trail Receives the issuer's id once known, even if the request is then refused.
   * @returns a promise only if I/O is needed; otherwise errors are thrown synchronously.
   * @throws ProblemError as `decideRedirect` does; InvalidHostError (400).
   */
  find(
    request: RedirectRequest,
    origin: RequestOrigin | null,
    trail: RequestTrail,
  ): MaybePromise<FoundRedirect> {
    const facts = new RequestFacts(this.sources, trail);
    try {
      const found = this.findWith(facts, request, origin);
      if (!(found instanceof Promise)) return this.count(found);
      return found.then(
        (loaded) => this.count(loaded),
        (error: unknown) => this.refuse(facts, error),
      );
    } catch (error) {
      return this.refuse(facts, error);
    }
  }

  private count(found: FoundRedirect): FoundRedirect {
    this.usage.countRedirect(found.redirect.issuerId);
    return found;
  }

  /** Counts a refusal, and throws the error. Failures of the service are not counted. */
  private refuse({ issuerId }: RequestFacts, error: unknown): never {
    if (issuerId !== null && error instanceof ProblemError && error.status < 500) {
      this.usage.countRefusal(issuerId);
    }
    throw error;
  }

  private findWith(
    facts: RequestFacts,
    request: RedirectRequest,
    origin: RequestOrigin | null,
  ): MaybePromise<FoundRedirect> {
    const key = this.cacheKeyOf(request, origin);
    const cached = key && this.cache.get(key, Date.now());
    if (cached) {
      facts.issuerId = cached.issuerId;
      // It consumes the issuer's allowance like any other.
      facts.consumeRate(cached.issuerId, cached.keyId, cached.rate);
      if (cached.addresses !== null) requireAddress(cached.addresses, facts.clientAddress);
      return { redirect: cached, isCached: true };
    }
    const decision = this.decideWith(facts, request);
    return decision instanceof Promise
      ? decision.then((decided) => this.finish(decided, facts, origin, key))
      : this.finish(decision, facts, origin, key);
  }

  private finish(
    decision: RedirectDecision,
    facts: RequestFacts,
    origin: RequestOrigin | null,
    key: CacheKey | null,
  ): FoundRedirect {
    const redirect = this.redirectOf(decision, origin);
    const isCacheable = key !== null && !facts.usedUncachedRow && !isEmpty(decision.validity);
    if (isCacheable) this.cache.set(key, redirect, facts.usedRows, decision.validity);
    return { redirect, isCached: false };
  }

  /** The decision with all its details, for `explain`. */
  decide(request: RedirectRequest, trail: RequestTrail): MaybePromise<RedirectDecision> {
    return this.decideWith(new RequestFacts(this.sources, trail), request);
  }

  /** Null for a request without a token, and for one that `decideRedirect` refuses. */
  private cacheKeyOf({ pathId, query }: RedirectRequest, origin: RequestOrigin | null): CacheKey | null {
    const token = query['token'];
    if (typeof token !== 'string') return null;
    return { pathId, token, origin: this.locations.needsOrigin ? origin : null };
  }

  private decideWith(facts: RequestFacts, request: RedirectRequest): MaybePromise<RedirectDecision> {
    const decision = decideRedirect(request, facts, Date.now(), this.services);
    return decision === PENDING ? this.loadAndDecide(facts, request) : decision;
  }

  private async loadAndDecide(facts: RequestFacts, request: RedirectRequest): Promise<RedirectDecision> {
    for (;;) {
      await facts.loadPending();
      const decision = decideRedirect(request, facts, Date.now(), this.services);
      if (decision !== PENDING) return decision;
    }
  }

  private redirectOf(decision: RedirectDecision, origin: RequestOrigin | null): Redirect {
    const { issuer, policy, account, claims, key, imageId, url, lifetime } = decision;
    const proxied = policy.isProxied ? this.proxiedOf(decision) : null;
    const location = proxied === null ? this.locations.build(url, account, origin) : '';
    return {
      issuerId: issuer.id,
      hasToken: key !== null,
      keyId: keyRowOf(key),
      rate: policy.rate,
      addresses: claims?.addresses ?? null,
      use: claims === null ? null : useOf(claims),
      imageId,
      url,
      location,
      proxied,
      lifetime,
      page: null,
    };
  }

  private proxiedOf({ url, account, policy, base, claims }: RedirectDecision): ProxiedImage {
    // Its link differs at each request, and its base chain is empty.
    const isLink = claims?.original === true && policy.document.original === 'download';
    return {
      target: this.locations.targetOf(url, account),
      isCacheable: !isLink,
      disposition: dispositionOf(isLink ? claims.download : offersFile(base), claims),
      variant: null,
    };
  }
}
