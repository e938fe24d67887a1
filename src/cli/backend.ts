import type {
  CreateAccountDto,
  CreateAccountSecretDto,
  UpdateAccountDto,
  UpdateAccountSecretDto,
} from '../admin/accounts/account.dto.js';
import type {
  AccountSecretView,
  AccountView,
  AccountWithSecretsView,
} from '../admin/accounts/account.view.js';
import type { CloudinaryAccount } from '../platform/config/environment.js';
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

/** A view as JSON: dates are strings. */
export type Json<T> = T extends Date
  ? string
  : T extends readonly (infer Item)[]
    ? readonly Json<Item>[]
    : T extends object
      ? { readonly [Member in keyof T]: Json<T[Member]> }
      : T;

/** A DTO's members before validation: the backend validates them by the admin API's rules. */
export type Unvalidated<Dto> = { readonly [Member in keyof Dto]?: unknown };

/** Filters of the lists of images and overlays. */
export type RowFilters = Partial<Pick<ListImagesDto, 'issuer_id' | 'public_id'>>;
export type ImageFilters = RowFilters & Pick<ListImagesDto, 'state'>;

/** A request of `GET /images/:image_id/explain`. */
export interface ExplanationRequest {
  /** The path's id; any name if the token names the image. */
  readonly pathId: string;
  /** Its query: `token`, or the parameters of a public image. */
  readonly query: URLSearchParams;
}

/** The account of an issuer. */
export interface IssuerAccount {
  readonly cloudName: string;
  /** Null if the backend never returns secrets. */
  readonly credentials: CloudinaryAccount | null;
}

/** What commands run on: a database, or a running service. Both throw `ProblemError`s. */
export abstract class Backend {
  /** Origin of the service, for printed URLs. */
  abstract readonly origin: string;

  abstract createIssuer(input: Unvalidated<CreateIssuerDto>): Promise<Json<NewIssuerView>>;
  /** @throws ProblemError `issuer_not_found` if no such issuer exists. */
  abstract requireIssuer(id: string): Promise<void>;

  /**
   * The account of an issuer, for calls of Cloudinary's API.
   * @returns null for the account of the environment.
   * @throws ProblemError `issuer_not_found`, `account_unavailable`.
   */
  abstract findAccountOf(issuerId: string): Promise<IssuerAccount | null>;

  abstract createAccount(input: Unvalidated<CreateAccountDto>): Promise<Json<AccountWithSecretsView>>;
  /** All accounts. */
  abstract listAccounts(): Promise<Json<AccountView>[]>;
  abstract getAccount(id: string): Promise<Json<AccountWithSecretsView>>;
  abstract updateAccount(id: string, input: Unvalidated<UpdateAccountDto>): Promise<Json<AccountView>>;
  abstract deleteAccount(id: string): Promise<void>;
  abstract addAccountSecret(
    accountId: string,
    input: Unvalidated<CreateAccountSecretDto>,
  ): Promise<Json<AccountSecretView>>;
  abstract updateAccountSecret(
    accountId: string,
    id: string,
    input: Unvalidated<UpdateAccountSecretDto>,
  ): Promise<Json<AccountSecretView>>;
  abstract revokeAccountSecret(accountId: string, id: string): Promise<void>;

  abstract addImage(input: Unvalidated<CreateImageDto>): Promise<Json<ImageView>>;
  abstract updateImage(id: string, input: Unvalidated<UpdateImageDto>): Promise<Json<ImageView>>;
  /** All images that match the filters. */
  abstract listImages(filters: ImageFilters): Promise<Json<ImageView>[]>;
  abstract listOverlays(filters: RowFilters): Promise<Json<OverlayView>[]>;
  /** Public ids retained for an issuer after their row was deleted. */
  abstract listRetainedPublicIds(filters: RowFilters): Promise<Json<RetainedPublicIdView>[]>;
  /** @throws ProblemError `insufficient_scope` under an admin key of an issuer. */
  abstract releasePublicId(id: string): Promise<void>;
  abstract addOverlay(input: Unvalidated<CreateOverlayDto>): Promise<Json<OverlayView>>;
  abstract createAdminKey(input: Unvalidated<CreateAdminKeyDto>): Promise<Json<NewAdminKeyView>>;
  /** All admin keys. */
  abstract listAdminKeys(): Promise<Json<AdminKeyView>[]>;
  abstract revokeAdminKey(id: string): Promise<void>;
  abstract explain(request: ExplanationRequest): Promise<Json<ExplanationView>>;

  /**
   * The key that signs an issuer's token.
   * @param keyId An active key's id; null for the newest active one.
   * @throws UsageError if the backend never returns secrets.
   */
  abstract getSigningKey(issuerId: string, keyId: string | null): Promise<SigningKey>;

  /**
   * Encrypts every stored secret under the first key of `SECRETS_KEY`.
   * @throws UsageError if the backend has no such key.
   */
  abstract rewrapKeys(): Promise<RewrapResult>;

  abstract close(): Promise<void>;
}
