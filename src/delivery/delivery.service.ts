import { Injectable } from '@nestjs/common';
import { CloudinaryUrlService } from '../cloudinary/cloudinary-url.service.js';
import { DirectoryService } from '../directory/directory.service.js';
import { after, type Soon } from '../directory/soon.js';
import { ImageDeletedError, ImageNotFoundError } from '../images/image.errors.js';
import type { Image } from '../images/image.js';
import { IssuerKeyUses } from '../issuers/issuer-key-uses.service.js';
import type { Issuer } from '../issuers/issuer.js';
import type { SigningKey } from '../tokens/signing-key.js';
import { RateLimits } from '../limits/rate-limits.js';
import { OverlayNotFoundError } from '../overlays/overlay.errors.js';
import type { IssuerTrail } from '../logging/request-trail.js';
import type { Overlay } from '../overlays/overlay.js';
import { selectBaseChain } from '../policy/base-chain.js';
import { checkClaims } from '../policy/check-claims.js';
import { checkOutput } from '../policy/check-output.js';
import { checkToken } from '../policy/check-token.js';
import { type ExpandedSteps, expandSteps, NO_STEPS } from '../policy/expand-steps.js';
import { checkGenerative } from '../policy/generative.js';
import { PolicyUnreadableError } from '../policy/policy.errors.js';
import type { Policy } from '../policy/policy.js';
import { redirectAge, redirectLife } from '../policy/redirect-age.js';
import { resolveImageId } from '../tokens/image-binding.js';
import { isIssuedBefore, type TokenClaims } from '../tokens/token-claims.js';
import { InvalidTokenError, TokenRequiredError } from '../tokens/token.errors.js';
import { TokenService, type VerifiedToken } from '../tokens/token.service.js';
import { TransformationMapper, type MappedChain } from '../transformations/transformation.mapper.js';

/** What a client asks for: untrusted, every part of it. */
export interface DeliveryRequest {
  /** The path's last segment. */
  readonly pathId: string;
  /** The query; `token` seals everything, without it `width`, `height` and `crop` count on a public image. */
  readonly query: Readonly<Record<string, unknown>>;
}

/** An image under its chain, signed. */
export interface Delivery {
  readonly issuer: Issuer;
  readonly policy: Policy;
  /** As asked for, or as the token names it. */
  readonly imageId: string;
  /** The image that is shown: the issuer's placeholder where the one asked for was deleted. */
  readonly image: Image;
  /** Null for a public image that was asked for without a token. */
  readonly claims: TokenClaims | null;
  /** The key that sealed the token, or null without one. */
  readonly key: SigningKey | null;
  readonly mapped: MappedChain;
  /** Names of presets by the number of the step that calls them. */
  readonly presets: ReadonlyMap<number, string>;
  readonly overlays: ReadonlyMap<string, Overlay>;
  /** The signed URL. */
  readonly url: string;
  /** Seconds for which a client may keep the redirect; 0 for not at all. */
  readonly maxAge: number;
}

/** A request whose token and policy allow it, and the image that it shows. */
type CheckedRequest = Pick<Delivery, 'issuer' | 'policy' | 'imageId' | 'image' | 'claims' | 'key'>;

const NO_OVERLAYS: Overlays = new Map();
const PUBLIC_PARAMETERS = ['width', 'height', 'crop'];

/** The way of a redirect: token, image, chain, signature. No I/O when the directory is warm. */
@Injectable()
export class DeliveryService {
  constructor(
    private readonly tokens: TokenService,
    private readonly directory: DirectoryService,
    private readonly mapper: TransformationMapper,
    private readonly urls: CloudinaryUrlService,
    private readonly limits: RateLimits,
    private readonly keyUses: IssuerKeyUses,
  ) {}

  /**
   * Checks the token and signs the URL it seals.
   * @param trail Learns whose the request is as soon as that is known, also where it is refused afterwards.
   * @returns No promise where the directory knows all; then what is wrong is thrown at once.
   * @throws ProblemError with the status and code of what is wrong: the README's table of errors.
   */
  deliver({ pathId, query }: DeliveryRequest, trail: IssuerTrail = { issuerId: null }): Soon<Delivery> {
    const token = query['token'];
    if (token === undefined) return this.deliverPublic(pathId, query, trail);
    const verified = this.tokens.verify(token);
    return verified instanceof Promise
      ? verified.then((known) => this.deliverSealed(pathId, known, trail))
      : this.deliverSealed(pathId, verified, trail);
  }

  private deliverSealed(pathId: string, verified: VerifiedToken, trail: IssuerTrail): Soon<Delivery> {
    trail.issuerId = verified.issuer.id;
    const spent = this.limits.spendIssuer(verified.issuer.id);
    return spent instanceof Promise
      ? spent.then(() => this.deliverSpent(pathId, verified))
      : this.deliverSpent(pathId, verified);
  }

  private deliverSpent(pathId: string, verified: VerifiedToken): Soon<Delivery> {
    const { issuer, key, claims, verifiedAt } = verified;
    this.keyUses.count(key.id);
    const policy = policyOf(issuer);
    // First: a token whose `imageId` was meant to bind it must not be refused for its path.
    checkClaims(policy, claims);
    const imageId = resolveImageId(claims, pathId);
    checkToken(policy, claims, verifiedAt);
    // An original is delivered as it is: its steps, if there are any, have nothing to act on.
    const steps = claims.original ? NO_STEPS : expandSteps(policy, claims.transformations);
    const asked = this.directory.findImage(issuer.id, imageId);
    return asked instanceof Promise
      ? asked.then((found) => this.deliverFound(found, verified, policy, steps))
      : this.deliverFound(asked, verified, policy, steps);
  }

  private deliverFound(
    asked: Image | null,
    { issuer, key, claims }: VerifiedToken,
    policy: Policy,
    steps: ExpandedSteps,
  ): Soon<Delivery> {
    if (asked === null) throw new ImageNotFoundError();
    if (isIssuedBefore(claims, asked.notBefore)) throw InvalidTokenError.because('not_accepted');
    const imageId = asked.id;
    if (!asked.deleted) return this.sign({ issuer, policy, imageId, image: asked, claims, key }, steps);
    return after(this.findPlaceholder(asked, policy), (image) => {
      if (image === null) throw new ImageDeletedError();
      return this.sign({ issuer, policy, imageId, image, claims, key }, steps);
    });
  }

  private async deliverPublic(
    pathId: string,
    query: DeliveryRequest['query'],
    trail: IssuerTrail,
  ): Promise<Delivery> {
    const imageId = resolveImageId(null, pathId);
    const asked = await this.directory.findPublicImage(imageId);
    const issuer = asked && (await this.directory.findIssuer(asked.issuerId));
    // One answer for an image that may not be seen and one that does not exist: it must not tell which ids do.
    if (asked === null || issuer === null || issuer.disabled) throw new TokenRequiredError();
    trail.issuerId = issuer.id;
    await this.limits.spendIssuer(issuer.id);
    const policy = policyOf(issuer);
    const keys = PUBLIC_PARAMETERS.filter((key) => query[key] !== undefined);
    const step = Object.fromEntries(keys.map((key) => [key, query[key]]));
    const steps = keys.length === 0 ? NO_STEPS : expandSteps(policy, [step]);
    const image = asked.deleted ? await this.findPlaceholder(asked, policy) : asked;
    // A placeholder that needs a token is not shown to somebody who has none.
    if (image?.access !== 'public') throw new ImageDeletedError();
    return this.sign({ issuer, policy, imageId, image, claims: null, key: null }, steps);
  }

  /** What is shown in the place of a deleted image; null where the policy names nothing. */
  private findPlaceholder(asked: Image, { document: { placeholder } }: Policy): Soon<Image | null> {
    if (placeholder === undefined) return null;
    return after(this.directory.findImage(asked.issuerId, placeholder), (image) =>
      image?.deleted === true ? null : image,
    );
  }

  private sign(request: CheckedRequest, expanded: ExpandedSteps): Soon<Delivery> {
    const { issuer, policy, claims } = request;
    const mapped = this.mapper.map(expanded.steps, expanded.numbers, policy.lenient);
    // An original that a policy with limits forbids did not get here.
    if (claims?.original !== true) {
      checkGenerative(policy, mapped, expanded.presets);
      checkOutput(policy, mapped);
    }
    const ids = allOf(mapped.overlayIds, policy.mandatory.overlayIds);
    const overlays = this.findOverlays(issuer.id, ids);
    return overlays instanceof Promise
      ? overlays.then((rows) => this.signWith(rows, request, expanded.presets, mapped))
      : this.signWith(overlays, request, expanded.presets, mapped);
  }

  private signWith(
    overlays: Overlays,
    { issuer, policy, imageId, image, claims, key }: CheckedRequest,
    presets: ExpandedSteps['presets'],
    mapped: MappedChain,
  ): Delivery {
    const { deliveryType, publicId, version } = image;
    const { path: base } = selectBaseChain(policy.baseChain, claims);
    const chain = base + mapped.path(overlays) + policy.mandatory.path(overlays);
    const expiresAt = claims?.expiresAt ?? null;
    const url = this.urls.signUrl(
      { deliveryType, publicId, version, format: issuer.deliveryFormat },
      chain,
      expiresAt,
    );
    const life = redirectLife(policy, claims, this.urls.endOf(expiresAt));
    const maxAge = redirectAge(life, Date.now() / 1000);
    // Written out: to spread an object into a new one costs more than to sign the URL.
    return { issuer, policy, imageId, image, claims, key, mapped, presets, overlays, url, maxAge };
  }

  /** The rows by id; no promise where all of them are known. @throws OverlayNotFoundError (404) */
  private findOverlays(issuerId: string, ids: readonly string[]): Soon<Overlays> {
    if (ids.length === 0) return NO_OVERLAYS;
    if (ids.length === 1) return after(this.directory.findOverlay(issuerId, ids[0] ?? ''), alone);
    const rows: (Overlay | null)[] = [];
    for (const id of ids) {
      const row = this.directory.findOverlay(issuerId, id);
      // Those that are asked for already are not asked for twice.
      if (row instanceof Promise) {
        return Promise.all(ids.map(async (each) => this.directory.findOverlay(issuerId, each))).then(byId);
      }
      rows.push(row);
    }
    return byId(rows);
  }
}

type Overlays = ReadonlyMap<string, Overlay>;

const ALONE = new WeakMap<Overlay, Overlays>();

/** A row by its id: what most chains have, so it is made once for each row. @throws OverlayNotFoundError (404) */
function alone(overlay: Overlay | null): Overlays {
  if (overlay === null) throw new OverlayNotFoundError();
  let overlays = ALONE.get(overlay);
  if (overlays === undefined) {
    overlays = new Map([[overlay.id, overlay]]);
    ALONE.set(overlay, overlays);
  }
  return overlays;
}

/** @throws OverlayNotFoundError (404) */
function byId(rows: readonly (Overlay | null)[]): Overlays {
  const overlays = new Map<string, Overlay>();
  for (const overlay of rows) {
    if (overlay === null) throw new OverlayNotFoundError();
    overlays.set(overlay.id, overlay);
  }
  return overlays;
}

/** @throws {PolicyUnreadableError} 503: nothing is delivered without the policy that may forbid it. */
function policyOf({ policy }: Issuer): Policy {
  if (policy === null) throw new PolicyUnreadableError();
  return policy;
}

function allOf(ids: readonly string[], others: readonly string[]): readonly string[] {
  return others.length === 0 ? ids : [...new Set([...ids, ...others])];
}
