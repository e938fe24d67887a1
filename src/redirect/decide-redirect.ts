import type { CloudinaryUrlService } from '../cloudinary/cloudinary-url.service.js';
import { AccountUnavailableError } from '../domain/account.errors.js';
import type { Account } from '../domain/account.js';
import { ImageDeletedError, ImageNotFoundError, ImageRejectedError } from '../domain/image.errors.js';
import type { Image } from '../domain/image.js';
import type { Issuer } from '../directory/issuer.js';
import { OverlayNotFoundError } from '../domain/overlay.errors.js';
import type { Overlay } from '../domain/overlay.js';
import { selectBaseChain } from '../policy/base-chain.js';
import { type CacheLifetime, cacheLifetime } from '../policy/cache-lifetime.js';
import { checkChain, checkEffects } from '../policy/check-chain.js';
import { checkClaims } from '../policy/check-claims.js';
import { checkToken, policyValidity } from '../policy/check-token.js';
import { type ExpandedSteps, expandSteps, NO_STEPS } from '../policy/expand-steps.js';
import { checkGenerative } from '../policy/generative.js';
import { PolicyUnreadableError } from '../policy/policy.errors.js';
import type { Policy } from '../policy/policy.js';
import { resolveImageId } from '../tokens/image-binding.js';
import type { SigningKey } from '../tokens/signing-key.js';
import { isIssuedBefore, type TokenClaims } from '../tokens/token-claims.js';
import { InvalidTokenError, TokenRequiredError } from '../tokens/token.errors.js';
import type { TokenService } from '../tokens/token.service.js';
import { ALWAYS, intersect, type ValidityPeriod } from '../tokens/validity-period.js';
import type { MappedChain, TransformationMapper } from '../transformations/transformation.mapper.js';
import { type Fact, type Facts, PENDING, type Pending } from './facts.js';

/** A client's request. No part of it is trusted. */
export interface RedirectRequest {
  /** The path's last segment, decoded. */
  readonly pathId: string;
  /** The query. With `token`, all else in it is ignored; without, `width`, `height` and `crop` of a public image. */
  readonly query: Readonly<Record<string, unknown>>;
}

/** The classes that a decision delegates to. All are pure. */
export interface RedirectServices {
  readonly tokens: TokenService;
  readonly mapper: TransformationMapper;
  readonly urls: CloudinaryUrlService;
}

/** A request that a token or a `public` image admits. Its chain is not built yet. */
interface Admission {
  readonly issuer: Issuer;
  readonly policy: Policy;
  /** The requested image, or the one that the token names. */
  readonly requested: Image;
  /** Null for a public image requested without a token. */
  readonly claims: TokenClaims | null;
  /** The key that signed the token; null without one. */
  readonly key: SigningKey | null;
  readonly steps: ExpandedSteps;
  /** The period in which the token, its key and the policy allow the request; of a decision, with the same URL. */
  readonly validity: ValidityPeriod;
}

/** An image with its chain and signed URL: everything that `explain` shows. */
export interface RedirectDecision extends Omit<Admission, 'requested' | 'steps'> {
  /** As requested, or as named by the token. */
  readonly imageId: string;
  /** The image shown: the issuer's placeholder if the requested image was deleted or rejected. */
  readonly image: Image;
  readonly mapped: MappedChain;
  /** Names of presets by the number of the step that uses them. */
  readonly presets: ReadonlyMap<number, string>;
  readonly overlays: ReadonlyMap<string, Overlay>;
  /** The issuer's account, which the URL is of. */
  readonly account: Account;
  /** The signed URL. */
  readonly url: string;
  /** How long a client may cache the redirect. */
  readonly lifetime: CacheLifetime;
}

/**
 * Decides a redirect: token, policy, image, chain, signature. A pure function of the request, the facts and the clock,
 * except that `facts` consumes the issuer's rate.
 * @param now Milliseconds since 1970.
 * @returns `PENDING` if a fact must be loaded first; then decide again.
 * @throws ProblemError if the request is refused.
 */
export function decideRedirect(
  request: RedirectRequest,
  facts: Facts,
  now: number,
  services: RedirectServices,
): Fact<RedirectDecision> {
  const admission =
    request.query['token'] === undefined
      ? admitPublic(request, facts)
      : admitToken(request, facts, now, services.tokens);
  if (admission === PENDING) return PENDING;
  const { issuer, policy, requested, claims, key, steps } = admission;

  const image = isHidden(requested) ? findPlaceholder(requested, policy, facts) : requested;
  if (image === PENDING) return PENDING;
  // A placeholder that needs a token is not shown without one.
  if (image === null || (claims === null && image.access !== 'public')) {
    throw requested.deleted ? new ImageDeletedError() : new ImageRejectedError();
  }

  const mapped = services.mapper.map(steps.steps, steps.numbers, policy.lenient);
  if (claims !== null) checkEffects(policy, mapped, steps.presets);
  checkGenerative(policy, mapped, steps.presets);
  checkChain(policy, mapped);

  const overlays = findOverlays(issuer.id, [mapped.overlayIds, policy.mandatory.overlayIds], facts);
  if (overlays === PENDING) return PENDING;

  const base = selectBaseChain(policy.baseChain, claims);
  const chain = base.path + mapped.path(overlays) + policy.mandatory.path(overlays) + policy.sizeLimit.path;
  const { deliveryType, publicId, version } = image;
  const asset = { deliveryType, publicId, version, format: issuer.deliveryFormat };
  const { account } = issuer;
  if (account === null) throw new AccountUnavailableError();
  const url = services.urls.signUrl(account, asset, chain, claims, now);
  const urlPeriod = services.urls.periodOf(account, claims, now);
  return {
    issuer,
    policy,
    imageId: requested.id,
    image,
    claims,
    key,
    mapped,
    presets: steps.presets,
    overlays,
    account,
    url,
    lifetime: cacheLifetime(policy, claims, urlPeriod?.followUntil ?? null),
    // If the URL's expiry moves with the clock, a later request gets a different URL.
    validity: urlPeriod === null ? admission.validity : intersect(admission.validity, urlPeriod.unchanged),
  };
}

/**
 * Checks a token and loads its image. In this order: signature and times, revocation, the issuer's rate, then what the
 * policy requires of claims, image, token and steps.
 */
function admitToken(
  { pathId, query }: RedirectRequest,
  facts: Facts,
  now: number,
  tokens: TokenService,
): Fact<Admission> {
  const token = tokens.read(query['token']);
  const found = token.issuerId === null ? null : facts.issuer(token.issuerId);
  if (found === PENDING) return PENDING;
  const { issuer, key, claims, validity } = tokens.verify(token, found, now);
  const revoked = facts.isRevoked(issuer.id, claims);
  if (revoked === PENDING) return PENDING;
  if (revoked) throw InvalidTokenError.because('not_accepted');
  facts.consumeRate(issuer.id, key.id);

  const policy = policyOf(issuer);
  // First: if the token misspells `image_id` as `imageId`, report that and not a wrong path.
  checkClaims(policy, claims);
  const imageId = resolveImageId(claims, pathId);
  checkToken(policy, claims, now / 1000);
  // An original is delivered unchanged: steps have no effect on it.
  const steps = claims.original ? NO_STEPS : expandSteps(policy, claims.transformations);
  const requested = facts.image(issuer.id, imageId);
  if (requested === PENDING) return PENDING;
  if (requested === null) throw new ImageNotFoundError();
  if (isIssuedBefore(claims, requested.notBefore)) throw InvalidTokenError.because('not_accepted');
  return {
    issuer,
    policy,
    requested,
    claims,
    key,
    steps,
    validity: intersect(validity, policyValidity(policy, claims)),
  };
}

const PUBLIC_PARAMETERS = ['width', 'height', 'crop'];

/** Admits a request without a token if the image's access is `public`. */
function admitPublic({ pathId, query }: RedirectRequest, facts: Facts): Fact<Admission> {
  const requested = facts.publicImage(resolveImageId(null, pathId));
  if (requested === PENDING) return PENDING;
  const issuer = requested && facts.issuer(requested.issuerId);
  if (issuer === PENDING) return PENDING;
  // The same response for a sealed and a missing image, so that it does not reveal which ids exist.
  if (requested === null || issuer === null || issuer.disabled) throw new TokenRequiredError();
  facts.consumeRate(issuer.id, null);

  const policy = policyOf(issuer);
  const keys = PUBLIC_PARAMETERS.filter((key) => query[key] !== undefined);
  const step = Object.fromEntries(keys.map((key) => [key, query[key]]));
  const steps = keys.length === 0 ? NO_STEPS : expandSteps(policy, [step]);
  return { issuer, policy, requested, claims: null, key: null, steps, validity: ALWAYS };
}

/** Whether an image is not shown, whatever the token. */
function isHidden({ deleted, rejected }: Image): boolean {
  return deleted || rejected;
}

/** The image that replaces a hidden one; null if the policy names none or it does not exist. */
function findPlaceholder(
  { issuerId }: Image,
  { document: { placeholder } }: Policy,
  facts: Facts,
): Image | null | Pending {
  const image = placeholder === undefined ? null : facts.image(issuerId, placeholder);
  return image === null || image === PENDING || !isHidden(image) ? image : null;
}

const NO_OVERLAYS: ReadonlyMap<string, Overlay> = new Map();

/** @throws OverlayNotFoundError (404) */
function findOverlays(
  issuerId: string,
  [own, mandatory]: readonly [readonly string[], readonly string[]],
  facts: Facts,
): Fact<ReadonlyMap<string, Overlay>> {
  const ids = mandatory.length === 0 ? own : [...new Set([...own, ...mandatory])];
  if (ids.length === 0) return NO_OVERLAYS;
  const overlays = facts.overlays(issuerId, ids);
  if (overlays !== PENDING && overlays.size < ids.length) throw new OverlayNotFoundError();
  return overlays;
}

/** @throws PolicyUnreadableError (503): an unreadable policy might forbid the request. */
function policyOf({ policy }: Issuer): Policy {
  if (policy === null) throw new PolicyUnreadableError();
  return policy;
}
