import { Injectable } from '@nestjs/common';
import { CloudinaryUrlService } from '../cloudinary/cloudinary-url.service.js';
import { DirectoryService } from '../directory/directory.service.js';
import { ImageDeletedError, ImageNotFoundError } from '../images/image.errors.js';
import type { Image } from '../images/image.js';
import { IssuerKeyUses } from '../issuers/issuer-key-uses.service.js';
import type { Issuer } from '../issuers/issuer.js';
import { OverlayNotFoundError } from '../overlays/overlay.errors.js';
import type { IssuerTrail } from '../logging/request-trail.js';
import type { Overlay } from '../overlays/overlay.js';
import { resolveImageId } from '../tokens/image-binding.js';
import { isIssuedBefore, type TokenClaims } from '../tokens/token-claims.js';
import { InvalidTokenError, TokenRequiredError } from '../tokens/token.errors.js';
import { TokenService } from '../tokens/token.service.js';
import { TransformationMapper, type MappedChain } from '../transformations/transformation.mapper.js';
import { baseChain } from './base-chain.js';

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
  readonly image: Image;
  /** Null for a public image that was asked for without a token. */
  readonly claims: TokenClaims | null;
  /** The key that sealed the token, or null without one. */
  readonly keyId: string | null;
  readonly baseChain: readonly string[];
  readonly mapped: MappedChain;
  readonly overlays: ReadonlyMap<string, Overlay>;
  /** The signed URL. */
  readonly url: string;
}

const NO_OVERLAYS: ReadonlyMap<string, Overlay> = new Map();
const SHOWN_AS_ATTACHMENT = { download: true, original: false };
const PUBLIC_PARAMETERS = ['width', 'height', 'crop'];

/** The way of a redirect (design §4): token, image, chain, signature. No I/O when the directory is warm. */
@Injectable()
export class DeliveryService {
  constructor(
    private readonly tokens: TokenService,
    private readonly directory: DirectoryService,
    private readonly mapper: TransformationMapper,
    private readonly urls: CloudinaryUrlService,
    private readonly keyUses: IssuerKeyUses,
  ) {}

  /**
   * Checks the token and signs the URL it seals.
   * @param trail Learns whose the request is as soon as that is known, also where it is refused afterwards.
   * @throws ProblemError with the status and code of design §7.
   */
  async deliver(
    { pathId, query }: DeliveryRequest,
    trail: IssuerTrail = { issuerId: null },
  ): Promise<Delivery> {
    return query['token'] === undefined
      ? this.deliverPublic(pathId, query, trail)
      : this.deliverSealed(pathId, query['token'], trail);
  }

  private async deliverSealed(pathId: string, token: unknown, trail: IssuerTrail): Promise<Delivery> {
    const { issuer, keyId, claims } = await this.tokens.verify(token);
    trail.issuerId = issuer.id;
    this.keyUses.count(keyId);
    const imageId = resolveImageId(claims, pathId);
    const image = await this.directory.findImage(issuer.id, imageId);
    if (image === null) throw new ImageNotFoundError();
    if (isIssuedBefore(claims, image.notBefore)) throw new InvalidTokenError('not_accepted');
    if (image.deleted) throw new ImageDeletedError();
    // An original is delivered as it is: its steps, if there are any, have nothing to act on.
    const mapped = this.mapper.map(claims.original ? undefined : claims.transformations);
    return this.sign(issuer, image, mapped, { claims, keyId });
  }

  private async deliverPublic(
    pathId: string,
    query: DeliveryRequest['query'],
    trail: IssuerTrail,
  ): Promise<Delivery> {
    const imageId = resolveImageId(null, pathId);
    const image = await this.directory.findPublicImage(imageId);
    const issuer = image && (await this.directory.findIssuer(image.issuerId));
    // One answer for an image that may not be seen and one that does not exist: it must not tell which ids do.
    if (image === null || issuer === null || issuer.disabled) throw new TokenRequiredError();
    trail.issuerId = issuer.id;
    if (image.deleted) throw new ImageDeletedError();
    const asked = PUBLIC_PARAMETERS.filter((key) => query[key] !== undefined);
    const steps = asked.length === 0 ? [] : [Object.fromEntries(asked.map((key) => [key, query[key]]))];
    return this.sign(issuer, image, this.mapper.map(steps), { claims: null, keyId: null });
  }

  private async sign(
    issuer: Issuer,
    image: Image,
    mapped: MappedChain,
    { claims, keyId }: Pick<Delivery, 'claims' | 'keyId'>,
  ): Promise<Delivery> {
    const overlays = await this.getOverlays(issuer.id, mapped.overlayIds);
    const base = baseChain(claims ?? SHOWN_AS_ATTACHMENT);
    const url = this.urls.signUrl(
      {
        deliveryType: image.deliveryType,
        publicId: image.publicId,
        version: image.version,
        format: issuer.deliveryFormat,
      },
      [...base, ...mapped.components(overlays)],
      claims?.expiresAt ?? null,
    );
    return { issuer, image, claims, keyId, baseChain: base, mapped, overlays, url };
  }

  private async getOverlays(issuerId: string, ids: readonly string[]): Promise<ReadonlyMap<string, Overlay>> {
    if (ids.length === 0) return NO_OVERLAYS;
    const found = await Promise.all(ids.map((id) => this.directory.findOverlay(issuerId, id)));
    const overlays = found.filter((overlay) => overlay !== null);
    if (overlays.length < ids.length) throw new OverlayNotFoundError();
    return new Map(overlays.map((overlay) => [overlay.id, overlay]));
  }
}
