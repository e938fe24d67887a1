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
import type { CreateImageFormDto, ListImagesDto, UpdateImageDto } from '../admin/images/image.dto.js';
import type { AuditPageView } from '../admin/audit/audit.view.js';
import type { ListAuditDto } from '../admin/audit/audit.dto.js';
import type {
  CreateIssuerDto,
  CreateKeyDto,
  UpdateIssuerDto,
  UpdateKeyDto,
} from '../admin/issuers/issuer.dto.js';
import type { RewrapResult } from '../admin/issuers/stored-secrets.service.js';
import type {
  IssuerView,
  IssuerWithKeysView,
  KeyView,
  NewIssuerView,
  NewKeyView,
} from '../admin/issuers/issuer.view.js';
import type { SigningKey } from '../tokens/signing-key.js';
import type { CreateOverlayDto, UpdateOverlayDto } from '../admin/overlays/overlay.dto.js';
import type { OverlayView } from '../admin/overlays/overlay.view.js';
import type { RetainedPublicIdView } from '../admin/retained-public-ids/retained-public-id.view.js';
import type { CreateRevocationDto } from '../admin/revocations/revocation.dto.js';
import type { RevocationView } from '../admin/revocations/revocation.view.js';
import type { InputFile } from './input.js';

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

/** A page of the audit log, the newest entry first. */
export type AuditPage = Json<AuditPageView>;
export type AuditFilters = Partial<Omit<ListAuditDto, 'limit'>> & { readonly limit: number };

/** Reads and writes images, or overlays. Input is unvalidated. */
export interface AssetBackend<View, Create, Update, Filters = RowFilters> {
  /** @param file The original, if it is uploaded too. */
  create(input: Create, file?: InputFile): Promise<Json<View>>;
  /** All rows that match the filters. */
  list(filters: Filters): Promise<Json<View>[]>;
  get(id: string): Promise<Json<View>>;
  update(id: string, input: Update): Promise<Json<View>>;
  replaceOriginal(id: string, file: InputFile): Promise<Json<View>>;
  delete(id: string): Promise<void>;
}
export type ImageBackend = AssetBackend<
  ImageView,
  Unvalidated<CreateImageFormDto>,
  Unvalidated<UpdateImageDto>,
  ImageFilters
>;
export type OverlayBackend = AssetBackend<
  OverlayView,
  Unvalidated<CreateOverlayDto>,
  Unvalidated<UpdateOverlayDto>
>;

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
  abstract readonly images: ImageBackend;
  abstract readonly overlays: OverlayBackend;

  abstract createIssuer(input: Unvalidated<CreateIssuerDto>): Promise<Json<NewIssuerView>>;
  /** All issuers. */
  abstract listIssuers(): Promise<Json<IssuerView>[]>;
  /** @throws ProblemError `issuer_not_found` */
  abstract getIssuer(id: string): Promise<Json<IssuerWithKeysView>>;
  abstract updateIssuer(id: string, input: Unvalidated<UpdateIssuerDto>): Promise<Json<IssuerView>>;
  abstract deleteIssuer(id: string): Promise<void>;

  abstract addKey(issuerId: string, input: Unvalidated<CreateKeyDto>): Promise<Json<NewKeyView>>;
  abstract updateKey(issuerId: string, id: string, input: Unvalidated<UpdateKeyDto>): Promise<Json<KeyView>>;
  abstract revokeKey(issuerId: string, id: string): Promise<void>;

  abstract revoke(issuerId: string, input: Unvalidated<CreateRevocationDto>): Promise<Json<RevocationView>>;
  /** All revocations of an issuer. */
  abstract listRevocations(issuerId: string): Promise<Json<RevocationView>[]>;
  abstract deleteRevocation(issuerId: string, id: string): Promise<void>;

  abstract listAudit(filters: AuditFilters): Promise<AuditPage>;

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

  /** Public ids retained for an issuer after their row was deleted. */
  abstract listRetainedPublicIds(filters: RowFilters): Promise<Json<RetainedPublicIdView>[]>;
  /** @throws ProblemError `insufficient_scope` under an admin key of an issuer. */
  abstract releasePublicId(id: string): Promise<void>;
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
