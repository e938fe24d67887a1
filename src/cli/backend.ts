import type { CreateAdminKeyDto } from '../admin/access/admin-key.dto.js';
import type { AdminKeyView, NewAdminKeyView } from '../admin/access/admin-key.view.js';
import type { ExplanationView } from '../redirect/explanation.view.js';
import type { ImageView } from '../admin/images/image.view.js';
import type { CreateImageDto, ListImagesDto, UpdateImageDto } from '../admin/images/image.dto.js';
import type { CreateIssuerDto } from '../admin/issuers/issuer.dto.js';
import type { RewrapResult } from '../admin/issuers/stored-secrets.service.js';
import type { NewIssuerView } from '../admin/issuers/issuer.view.js';
import type { SigningKey } from '../tokens/signing-key.js';
import type { CreateOverlayDto } from '../admin/overlays/overlay.dto.js';
import type { OverlayView } from '../admin/overlays/overlay.view.js';
import type { RetainedPublicIdView } from '../admin/retained-public-ids/retained-public-id.view.js';

/** A view as JSON carries it: dates are text. */
export type Json<T> = T extends Date
  ? string
  : T extends readonly (infer Item)[]
    ? readonly Json<Item>[]
    : T extends object
      ? { readonly [Member in keyof T]: Json<T[Member]> }
      : T;

/** A DTO's members as a person typed them: the backend judges them, by the admin API's own rules. */
export type Unvalidated<Dto> = { readonly [Member in keyof Dto]?: unknown };

/** Filters of lists of images and overlays. */
export type RowFilters = Partial<Pick<ListImagesDto, 'issuer_id' | 'public_id'>>;
export type ImageFilters = RowFilters & Pick<ListImagesDto, 'state'>;

/** What `GET /images/:image_id/explain` is asked. */
export interface ExplanationRequest {
  /** The path's id; any text where the token names the image. */
  readonly pathId: string;
  /** Its query: `token`, or the parameters of a public image. */
  readonly query: URLSearchParams;
}

/** Where the commands' work is done: in a database, or by a running service. Both throw `ProblemError`s. */
export abstract class Backend {
  /** Origin of the service, for the URLs that a command prints. */
  abstract readonly origin: string;

  abstract createIssuer(input: Unvalidated<CreateIssuerDto>): Promise<Json<NewIssuerView>>;
  /** @throws ProblemError `issuer_not_found` where there is none of this id. */
  abstract requireIssuer(id: string): Promise<void>;
  abstract addImage(input: Unvalidated<CreateImageDto>): Promise<Json<ImageView>>;
  abstract updateImage(id: string, input: Unvalidated<UpdateImageDto>): Promise<Json<ImageView>>;
  /** All that the filters let through. */
  abstract listImages(filters: ImageFilters): Promise<Json<ImageView>[]>;
  abstract listOverlays(filters: RowFilters): Promise<Json<OverlayView>[]>;
  /** Public ids that stay an issuer's without a row. */
  abstract listRetainedPublicIds(filters: RowFilters): Promise<Json<RetainedPublicIdView>[]>;
  /** @throws ProblemError `insufficient_scope` under an admin key that is bound to an issuer. */
  abstract releasePublicId(id: string): Promise<void>;
  abstract addOverlay(input: Unvalidated<CreateOverlayDto>): Promise<Json<OverlayView>>;
  abstract createAdminKey(input: Unvalidated<CreateAdminKeyDto>): Promise<Json<NewAdminKeyView>>;
  /** All of them. */
  abstract listAdminKeys(): Promise<Json<AdminKeyView>[]>;
  abstract revokeAdminKey(id: string): Promise<void>;
  abstract explain(request: ExplanationRequest): Promise<Json<ExplanationView>>;

  /**
   * The key to sign an issuer's token with.
   * @param keyId A live key's id; null for the newest live one.
   * @throws UsageError where the backend never gives a secret away.
   */
  abstract getSigningKey(issuerId: string, keyId: string | null): Promise<SigningKey>;

  /**
   * Seals every stored secret under the first key of `SECRETS_KEY`.
   * @throws UsageError where the backend has no such key.
   */
  abstract rewrapKeys(): Promise<RewrapResult>;

  abstract close(): Promise<void>;
}
