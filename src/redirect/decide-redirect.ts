import type { CloudinaryUrlService } from '../cloudinary/cloudinary-url.service.js';
import type { DownloadUrlService } from '../cloudinary/download-url.service.js';
import { AccountUnavailableError } from '../domain/account.errors.js';
import type { Account } from '../domain/account.js';
import {
  ImageDeletedError,
  ImageFormatUnknownError,
  ImageNotFoundError,
  ImageRejectedError,
} from '../domain/image.errors.js';
import { type Image, ORIGINAL_FORMAT } from '../domain/image.js';
import { endOfDay } from '../directory/counters/counters.js';
import type { Issuer } from '../directory/issuer.js';
import { OverlayNotFoundError } from '../domain/overlay.errors.js';
import type { Overlay } from '../domain/overlay.js';
import { type ChainPart, createChainPart, selectBaseChain } from '../policy/base-chain.js';
import { type CacheLifetime, cacheLifetime, NO_STORE } from '../policy/cache-lifetime.js';
import { checkChain, checkEffects } from '../policy/check-chain.js';
import { checkClaims } from '../policy/check-claims.js';
import { checkToken, expiryOf, policyValidity } from '../policy/check-token.js';
import { type ExpandedSteps, expandSteps, NO_STEPS } from '../policy/expand-steps.js';
import { checkOwnSteps } from '../policy/check-own-steps.js';
import { PolicyUnreadableError, PolicyViolationError } from '../policy/policy.errors.js';
import type { Policy } from '../policy/policy.js';
import { resolveImageId } from '../tokens/image-binding.js';
import { isIssuerAlias } from '../tokens/issuer-alias.js';
import { isPublicKeyAlgorithm, type PublicKey, type SigningKey } from '../tokens/signing-key.js';
import { isIssuedBefore, type TokenClaims } from '../tokens/token-claims.js';
import { InvalidTokenError, TokenRequiredError } from '../tokens/token.errors.js';
import type { TokenService, UnverifiedToken } from '../tokens/token.service.js';
import { ALWAYS, intersect, NEVER, type ValidityPeriod } from '../tokens/validity-period.js';
import type { MappedChain, TransformationMapper } from '../transformations/transformation.mapper.js';
import { requireAddress } from './address-binding.js';
import { type Fact, type Facts, PENDING, type Pending } from './facts.js';
import { ProxyDisabledError } from './proxy-disabled.error.js';
import { pictureOf } from './picture-budget.service.js';

/** A client's request. No part of it is trusted. */
export interface RedirectRequest {
  /** The path's last segment, decoded. */
  readonly pathId: string;
  /** The query. With `token`, all else in it is ignored; without, `width`, `height` and `crop` of a public image. */
  readonly query: Readonly<Record<string, unknown>>;
}

/** The classes that a decision delegates to, all of them pure, and what the process can do. */
export interface RedirectServices {
  /** Whether images can be delivered without a redirect: `PROXY`. */
  readonly canProxy: boolean;
  readonly tokens: TokenService;
  readonly mapper: TransformationMapper;
  readonly urls: CloudinaryUrlService;
  readonly downloads: DownloadUrlService;
}

/** A request that a token or a `public` image admits. Its chain is not built yet. */
interface Admission {
  readonly issuer: Issuer;
  readonly policy: Policy;
  /** The requested image, or the one that the token names. */
  readonly requested: Image;
  /** Null for a public image requested without a token. */
  readonly claims: TokenClaims | null;
  /** The key that verified the token; null without one. */
  readonly key: SigningKey | PublicKey | null;
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
  /** The components before those of the token. */
  readonly base: ChainPart;
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
  if (policy.isProxied && !services.canProxy) throw new ProxyDisabledError();

  const image = isHidden(requested) ? findPlaceholder(requested, policy, facts) : requested;
  if (image === PENDING) return PENDING;
  // A placeholder that needs a token is not shown without one.
  if (image === null || (claims === null && image.access !== 'public')) throw hiddenError(requested);
  if (claims?.original === true && policy.document.original === 'download') {
    return decideDownload(admission, claims, now, services);
  }

  const mapped = services.mapper.map(steps.steps, steps.numbers, policy.lenient);
  if (claims !== null) checkEffects(policy, mapped, steps.presets);
  checkOwnSteps(policy, mapped, steps.presets);
  checkChain(policy, mapped);

  const overlays = findOverlays(issuer, mapped, steps.presets, policy, facts);
  if (overlays === PENDING) return PENDING;

  // This service names a proxied image: under each name, Cloudinary would derive another one.
  const isNamed = policy.isProxied && claims !== null && claims.filename !== null;
  const base = selectBaseChain(policy.baseChain, isNamed ? { ...claims, filename: null } : claims);
  const chain = base.path + mapped.path(overlays) + policy.mandatory.path(overlays) + policy.sizeLimit.path;
  const { deliveryType, publicId, version } = image;
  const asset = { deliveryType, publicId, version, format: formatOf(image, issuer) };
  const account = accountOf(issuer);
  const expiresAt = claims && expiryOf(policy, claims);
  const times = claims && { expiresAt, notBefore: claims.notBefore };
  const url = services.urls.signUrl(account, asset, chain, times, now);
  const urlPeriod = services.urls.periodOf(account, times, now);
  // If the URL's expiry moves with the clock, a later request gets a different URL.
  const validity =
    urlPeriod === null ? admission.validity : intersect(admission.validity, urlPeriod.unchanged);
  const { new_pictures_per_day: budget } = policy.document;
  if (budget !== undefined) {
    // Last: a refused request pays for nothing.
    const picture = pictureOf(issuer.id, budget, [issuer.accountId, ...Object.values(asset), chain]);
    if (facts.payPicture(picture) === PENDING) return PENDING;
  }
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
    base,
    url,
    lifetime: cacheLifetime(policy, expiresAt, urlPeriod?.followUntil ?? null),
    // On the next day the picture is marked as seen again.
    validity:
      budget === undefined ? validity : intersect(validity, { from: -Infinity, until: endOfDay(now) }),
  };
}

/** Seconds for which a link to an original is valid, at most. */
const DOWNLOAD_SECONDS = 60;
const NO_COMPONENTS = createChainPart([]);

/**
 * Decides the redirect to an original as it is stored, by a link that expires with the token and within a minute. Each
 * request gets another link, which is not cached.
 * @throws ImageDeletedError, ImageRejectedError (410) even if the policy has a placeholder: a client that saves the file would keep that.
 * @throws PolicyViolationError (403) for a public image: the API has a rate limit.
 * @throws InvalidTokenError (401) within the leeway after the token's expiry, in which the link would have expired already.
 */
function decideDownload(
  { issuer, policy, requested, key, steps }: Admission,
  claims: TokenClaims,
  now: number,
  { mapper, downloads }: RedirectServices,
): RedirectDecision {
  if (isHidden(requested)) throw hiddenError(requested);
  if (requested.access === 'public') {
    throw new PolicyViolationError({
      rule: 'original',
      limit: 'download',
      detail:
        'the image is public, and originals of public images are not downloaded. Sign a token without `sharinpix.original`.',
    });
  }
  const expiresAt = Math.floor(Math.min(expiryOf(policy, claims) ?? Infinity, now / 1000 + DOWNLOAD_SECONDS));
  if (expiresAt * 1000 <= now) throw InvalidTokenError.because('expired');
  const terms = { attachment: claims.download, expiresAt };
  const account = accountOf(issuer);
  return {
    issuer,
    policy,
    imageId: requested.id,
    image: requested,
    claims,
    key,
    mapped: mapper.map(undefined),
    presets: steps.presets,
    overlays: NO_OVERLAYS,
    base: NO_COMPONENTS,
    account,
    url: downloads.sign(account, requested, terms, now),
    lifetime: NO_STORE,
    validity: NEVER,
  };
}

/** @throws AccountUnavailableError (503) */
function accountOf({ account }: Issuer): Account {
  if (account === null) throw new AccountUnavailableError();
  return account;
}

/** The extension of an image's URL. @throws ImageFormatUnknownError (409) */
function formatOf({ format }: Image, { deliveryFormat }: Issuer): string {
  if (deliveryFormat !== ORIGINAL_FORMAT) return deliveryFormat;
  if (format === null) throw new ImageFormatUnknownError();
  return format;
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
  const found = token.issuerId === null ? findIssuerOfAlias(token, facts) : facts.issuer(token.issuerId);
  if (found === PENDING) return PENDING;
  const jwksKeys = isPublicKeyAlgorithm(token.jws.algorithm) ? findJwksKeys(token, found, facts) : undefined;
  if (jwksKeys === PENDING) return PENDING;
  const { issuer, key, claims, validity } = tokens.verify(token, found, now, jwksKeys);
  const revoked = facts.isRevoked(issuer.id, claims);
  if (revoked === PENDING) return PENDING;
  if (revoked) throw InvalidTokenError.because('not_accepted');
  facts.consumeRate(issuer.id, keyRowOf(key), issuer.policy?.rate ?? null);

  const policy = policyOf(issuer);
  // First: if the token misspells `image_id` as `imageId`, report that and not a wrong path.
  checkClaims(policy, claims);
  const imageId = resolveImageId(claims, pathId);
  checkToken(policy, claims, now / 1000);
  if (claims.addresses !== null) requireAddress(claims.addresses, facts.clientAddress);
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

/** The issuer of a token whose `iss` is not an issuer's id: of an identity provider. */
function findIssuerOfAlias({ payload: { iss } }: UnverifiedToken, facts: Facts): Fact<Issuer | null> {
  return isIssuerAlias(iss) ? facts.issuerOfAlias(iss) : null;
}

/** The keys of the issuer's JWKS; undefined if the token cannot be signed by one of them. */
function findJwksKeys(
  { jws: { keyId } }: UnverifiedToken,
  issuer: Issuer | null,
  facts: Facts,
): Fact<readonly PublicKey[] | undefined> {
  if (issuer === null || issuer.disabled || issuer.jwksUrl === null || keyId === null) return undefined;
  if (issuer.publicKeys.some(({ id }) => id === keyId)) return undefined;
  return facts.jwksKeys(issuer, keyId);
}

/** The row of a key that verified a token; null without one, and for a key of a JWKS. */
export function keyRowOf(key: SigningKey | PublicKey | null): string | null {
  return key === null || ('isRow' in key && !key.isRow) ? null : key.id;
}

/** Parameters of a public image that is requested without a token. */
export const PUBLIC_PARAMETERS = ['width', 'height', 'crop'];

/** Admits a request without a token if the image's access is `public`. */
function admitPublic({ pathId, query }: RedirectRequest, facts: Facts): Fact<Admission> {
  const requested = facts.publicImage(resolveImageId(null, pathId));
  if (requested === PENDING) return PENDING;
  const issuer = requested && facts.issuer(requested.issuerId);
  if (issuer === PENDING) return PENDING;
  // The same response for a sealed and a missing image, so that it does not reveal which ids exist.
  if (requested === null || issuer === null || issuer.disabled) throw new TokenRequiredError();
  facts.consumeRate(issuer.id, null, issuer.policy?.rate ?? null);

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

const hiddenError = ({ deleted }: Image): Error =>
  deleted ? new ImageDeletedError() : new ImageRejectedError();

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

/**
 * The overlays of a chain. One that another issuer shares is for presets and mandatory steps: in a token's own steps it
 * does not exist.
 * @throws OverlayNotFoundError (404)
 */
function findOverlays(
  issuer: Issuer,
  mapped: MappedChain,
  presets: ExpandedSteps['presets'],
  { mandatory }: Policy,
  facts: Facts,
): Fact<ReadonlyMap<string, Overlay>> {
  const own = mapped.overlayIds;
  const ids = mandatory.overlayIds.length === 0 ? own : [...new Set([...own, ...mandatory.overlayIds])];
  if (ids.length === 0) return NO_OVERLAYS;
  const overlays = facts.overlays(issuer, ids);
  if (overlays === PENDING) return PENDING;
  if (overlays.size < ids.length) throw new OverlayNotFoundError();
  for (const { id, issuerId } of overlays.values()) {
    if (issuerId !== issuer.id && isUsedByToken(mapped, presets, id)) throw new OverlayNotFoundError();
  }
  return overlays;
}

const isUsedByToken = (mapped: MappedChain, presets: ExpandedSteps['presets'], overlayId: string): boolean =>
  mapped.steps.some((step) => !presets.has(step.step) && step.withRowIds([]).includes(overlayId));

/** @throws PolicyUnreadableError (503): an unreadable policy might forbid the request. */
function policyOf({ policy }: Issuer): Policy {
  if (policy === null) throw new PolicyUnreadableError();
  return policy;
}
