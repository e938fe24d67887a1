import 'reflect-metadata';
import { existsSync } from 'node:fs';
import type { INestApplicationContext, Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  CreateAccountDto,
  CreateAccountSecretDto,
  UpdateAccountDto,
  UpdateAccountSecretDto,
} from '../admin/accounts/account.dto.js';
import { AccountSecretView, AccountView, AccountWithSecretsView } from '../admin/accounts/account.view.js';
import { AccountsService } from '../admin/accounts/accounts.service.js';
import { CreateAdminKeyDto } from '../admin/access/admin-key.dto.js';
import { AdminKeyView, NewAdminKeyView } from '../admin/access/admin-key.view.js';
import { AdminKeysService } from '../admin/access/admin-keys.service.js';
import { createValidationPipe } from '../platform/http/validation.pipe.js';
import { AppModule } from '../app.module.js';
import { embeddedSecretsPath, loadEmbeddedSecrets } from '../platform/config/embedded-secrets.js';
import { processVariables, readEnvironment, type Environment } from '../platform/config/environment.js';
import { omitUndefined } from '../admin/requests/omit-undefined.js';
import { FolderLockedError } from '../platform/database/folder-lock.js';
import type { RequestOrigin } from '../platform/http/request-origin.js';
import { LocationBuilder } from '../redirect/location-builder.js';
import { RedirectService } from '../redirect/redirect.service.js';
import { ExplanationView } from '../redirect/explanation.view.js';
import { DirectoryService } from '../directory/directory.service.js';
import { AuditService } from '../admin/audit/audit.service.js';
import { ListAuditDto } from '../admin/audit/audit.dto.js';
import { AuditPageView } from '../admin/audit/audit.view.js';
import { CreateImageDto, ListImagesDto, UpdateImageDto } from '../admin/images/image.dto.js';
import { ImageView } from '../admin/images/image.view.js';
import { ImagesService } from '../admin/images/images.service.js';
import { CreateIssuerDto, CreateKeyDto, UpdateIssuerDto, UpdateKeyDto } from '../admin/issuers/issuer.dto.js';
import { IssuerNotFoundError, KeyNotFoundError } from '../admin/issuers/issuer.errors.js';
import type { SigningKey } from '../tokens/signing-key.js';
import {
  IssuerView,
  IssuerWithKeysView,
  KeyView,
  NewIssuerView,
  NewKeyView,
} from '../admin/issuers/issuer.view.js';
import { StoredSecretsService, type RewrapResult } from '../admin/issuers/stored-secrets.service.js';
import { IssuersService, type NewKey } from '../admin/issuers/issuers.service.js';
import { CreateOverlayDto, UpdateOverlayDto } from '../admin/overlays/overlay.dto.js';
import { type CreateAssetDto, ListAssetsDto, type UpdateAssetDto } from '../admin/assets/asset.dto.js';
import type { AssetsService } from '../admin/assets/assets.service.js';
import { OverlayView } from '../admin/overlays/overlay.view.js';
import { OverlaysService } from '../admin/overlays/overlays.service.js';
import { ListRetainedPublicIdsDto } from '../admin/retained-public-ids/retained-public-id.dto.js';
import { RetainedPublicIdView } from '../admin/retained-public-ids/retained-public-id.view.js';
import { RetainedPublicIdsService } from '../admin/retained-public-ids/retained-public-ids.service.js';
import { CreateRevocationDto, ListRevocationsDto } from '../admin/revocations/revocation.dto.js';
import { RevocationView } from '../admin/revocations/revocation.view.js';
import { RevocationsService } from '../admin/revocations/revocations.service.js';
import { uploadedFile } from '../originals/uploaded-file.js';
import type { AssetEntity } from '../platform/database/entities/asset.entity.js';
import { isActive } from '../tokens/token.service.js';
import {
  type AssetBackend,
  type AuditFilters,
  type AuditPage,
  Backend,
  type ExplanationRequest,
  type ImageBackend,
  type IssuerAccount,
  type Json,
  type OverlayBackend,
  type RowFilters,
} from './backend.js';
import { CommandFailedError } from './cli.errors.js';
import { note } from './output.js';
import { readDefaultPolicy } from '../policy/recommended-policy.js';

/** Runs commands on the database of the service's own settings, with the service's own classes. */
export class DatabaseBackend extends Backend {
  private readonly validation = createValidationPipe();
  /** The origin by which a client on this machine reaches the service. */
  private readonly requestOrigin: RequestOrigin;
  readonly origin: string;
  /** Whether the origin is a guess that other machines cannot reach: in production without `PUBLIC_URL`. */
  private readonly isGuessed: boolean;
  readonly images: ImageBackend = this.assets(ImagesService, ImageView, {
    create: CreateImageDto,
    update: UpdateImageDto,
    list: ListImagesDto,
    // Cloudinary sets its own.
    uploaded: () => ({ version: Math.floor(Date.now() / 1000) }),
  });
  readonly overlays: OverlayBackend = this.assets(OverlaysService, OverlayView, {
    create: CreateOverlayDto,
    update: UpdateOverlayDto,
    list: ListAssetsDto,
    uploaded: () => ({}),
  });

  private constructor(
    private readonly context: INestApplicationContext,
    environment: Environment,
  ) {
    super();
    this.requestOrigin = { protocol: 'http', host: hostOf(environment) };
    this.origin = this.get(LocationBuilder).originOf(this.requestOrigin);
    this.isGuessed = environment.database.kind === 'postgres' && environment.publicUrl === null;
  }

  /**
   * Opens the database; creates the embedded one if it does not exist.
   * @throws EnvironmentError naming every bad variable.
   * @throws CommandFailedError if the database cannot be opened.
   */
  static async open(): Promise<DatabaseBackend> {
    const environment = readEnvironment(
      processVariables(),
      (dataDir) => {
        if (!existsSync(dataDir)) note(`there is no database in ${dataDir} yet: creating one`);
        return loadEmbeddedSecrets(dataDir);
      },
      readDefaultPolicy,
    );
    const { database } = environment;
    try {
      const context = await NestFactory.createApplicationContext(await AppModule.for(environment), {
        // Standard output contains the command's result only; failures are thrown.
        logger: false,
        abortOnError: false,
      });
      return new DatabaseBackend(context, environment);
    } catch (error) {
      if (error instanceof FolderLockedError && database.kind === 'embedded') {
        throw new CommandFailedError(
          `${error.message}\nTo use the service that runs there, add: ` +
            `--server <its address> --admin-key-file ${embeddedSecretsPath(database.dataDir)}`,
        );
      }
      // Errors of Node and Postgres have a code but no context.
      if (error instanceof Error && 'code' in error) {
        throw new CommandFailedError(
          `The database cannot be opened: ${error.message || String(error.code)}. ` +
            (database.kind === 'embedded' ? 'Check DATA_DIR.' : 'Check DATABASE_URL.'),
        );
      }
      throw error;
    }
  }

  async createIssuer(input: object): Promise<Json<NewIssuerView>> {
    const { row, key } = await this.get(IssuersService).create(await this.validate(input, CreateIssuerDto));
    return toJson(new NewIssuerView(row, this.viewNewKey(key)));
  }

  async listIssuers(): Promise<Json<IssuerView>[]> {
    const rows = await allPages((cursor) => this.get(IssuersService).list({ limit: 100, ...cursor }));
    return rows.map((row) => toJson(new IssuerView(row)));
  }

  async getIssuer(id: string): Promise<Json<IssuerWithKeysView>> {
    const { row, keys } = await this.get(IssuersService).get(id);
    return toJson(new IssuerWithKeysView(row, keys));
  }

  async updateIssuer(id: string, input: object): Promise<Json<IssuerView>> {
    const dto = await this.validate(input, UpdateIssuerDto);
    return toJson(new IssuerView(await this.get(IssuersService).update(id, dto)));
  }

  async deleteIssuer(id: string): Promise<void> {
    await this.get(IssuersService).delete(id);
  }

  async addKey(issuerId: string, input: object): Promise<Json<NewKeyView>> {
    const dto = await this.validate(input, CreateKeyDto);
    return toJson(this.viewNewKey(await this.get(IssuersService).addKey(issuerId, dto)));
  }

  private viewNewKey({ row, secret }: NewKey): NewKeyView {
    const view = new NewKeyView(row, secret, this.origin);
    if (view.dsn !== null && this.isGuessed) {
      note(
        `the dsn contains ${this.origin}, as PUBLIC_URL is not set: replace it by the address of the service`,
      );
    }
    return view;
  }

  async updateKey(issuerId: string, id: string, input: object): Promise<Json<KeyView>> {
    const dto = await this.validate(input, UpdateKeyDto);
    return toJson(new KeyView(await this.get(IssuersService).updateKey(issuerId, id, dto)));
  }

  async revokeKey(issuerId: string, id: string): Promise<void> {
    await this.get(IssuersService).revokeKey(issuerId, id);
  }

  async revoke(issuerId: string, input: object): Promise<Json<RevocationView>> {
    const dto = await this.validate(input, CreateRevocationDto);
    return toJson(new RevocationView(await this.get(RevocationsService).revoke(issuerId, dto)));
  }

  async listRevocations(issuerId: string): Promise<Json<RevocationView>[]> {
    const rows = await allPages(async (cursor) =>
      this.get(RevocationsService).list(
        issuerId,
        await this.validate({ limit: 100, ...cursor }, ListRevocationsDto),
      ),
    );
    return rows.map((row) => toJson(new RevocationView(row)));
  }

  async deleteRevocation(issuerId: string, id: string): Promise<void> {
    await this.get(RevocationsService).restore(issuerId, id);
  }

  async listAudit(filters: AuditFilters): Promise<AuditPage> {
    const query = await this.validate(filters, ListAuditDto);
    return toJson(new AuditPageView(await this.get(AuditService).list(query)));
  }

  async findAccountOf(issuerId: string): Promise<IssuerAccount | null> {
    const { row } = await this.get(IssuersService).get(issuerId);
    const account =
      row.accountId === null ? null : await this.get(DirectoryService).findAccount(row.accountId);
    if (account?.apiKey == null) return null;
    const { cloudName, apiKey, apiSecret, uploadPrefix, uploadTimeout } = account;
    return { cloudName, credentials: { cloudName, apiKey, apiSecret, uploadPrefix, uploadTimeout } };
  }

  async createAccount(input: object): Promise<Json<AccountWithSecretsView>> {
    const { row, secrets } = await this.get(AccountsService).create(
      await this.validate(input, CreateAccountDto),
    );
    return toJson(new AccountWithSecretsView(row, secrets));
  }

  async listAccounts(): Promise<Json<AccountView>[]> {
    const rows = await allPages((cursor) => this.get(AccountsService).list({ limit: 100, ...cursor }));
    return rows.map((row) => toJson(new AccountView(row)));
  }

  async getAccount(id: string): Promise<Json<AccountWithSecretsView>> {
    const { row, secrets } = await this.get(AccountsService).get(id);
    return toJson(new AccountWithSecretsView(row, secrets));
  }

  async updateAccount(id: string, input: object): Promise<Json<AccountView>> {
    const dto = await this.validate(input, UpdateAccountDto);
    return toJson(new AccountView(await this.get(AccountsService).update(id, dto)));
  }

  async deleteAccount(id: string): Promise<void> {
    await this.get(AccountsService).delete(id);
  }

  async addAccountSecret(accountId: string, input: object): Promise<Json<AccountSecretView>> {
    const dto = await this.validate(input, CreateAccountSecretDto);
    return toJson(new AccountSecretView(await this.get(AccountsService).addSecret(accountId, dto)));
  }

  async updateAccountSecret(accountId: string, id: string, input: object): Promise<Json<AccountSecretView>> {
    const dto = await this.validate(input, UpdateAccountSecretDto);
    return toJson(new AccountSecretView(await this.get(AccountsService).updateSecret(accountId, id, dto)));
  }

  async revokeAccountSecret(accountId: string, id: string): Promise<void> {
    await this.get(AccountsService).deleteSecret(accountId, id);
  }

  async listRetainedPublicIds(filters: RowFilters): Promise<Json<RetainedPublicIdView>[]> {
    const rows = await allPages(async (cursor) =>
      this.get(RetainedPublicIdsService).list(
        await this.validate({ limit: 100, ...filters, ...cursor }, ListRetainedPublicIdsDto),
      ),
    );
    return rows.map((row) => toJson(new RetainedPublicIdView(row)));
  }

  async releasePublicId(id: string): Promise<void> {
    await this.get(RetainedPublicIdsService).release(id);
  }

  async createAdminKey(input: object): Promise<Json<NewAdminKeyView>> {
    const { row, key } = await this.get(AdminKeysService).create(
      await this.validate(input, CreateAdminKeyDto),
    );
    return toJson(new NewAdminKeyView(row, key));
  }

  async listAdminKeys(): Promise<Json<AdminKeyView>[]> {
    const rows = await allPages((cursor) => this.get(AdminKeysService).list({ limit: 100, ...cursor }));
    return rows.map((row) => toJson(new AdminKeyView(row)));
  }

  async revokeAdminKey(id: string): Promise<void> {
    await this.get(AdminKeysService).revoke(id);
  }

  async explain({ pathId, query }: ExplanationRequest): Promise<Json<ExplanationView>> {
    const request = { pathId, query: toRecord(query) };
    const decision = await this.get(RedirectService).decide(request, {
      issuerId: null,
      span: null,
      address: null,
    });
    const links = this.get(LocationBuilder).linksOf(decision, request.query, this.requestOrigin);
    return toJson(new ExplanationView(decision, links));
  }

  async getSigningKey(issuerId: string, keyId: string | null): Promise<SigningKey> {
    const issuer = await this.get(DirectoryService).findIssuer(issuerId);
    if (issuer === null) throw new IssuerNotFoundError();
    if (issuer.disabled) throw new CommandFailedError('The issuer is disabled: its tokens are refused.');
    const live = issuer.keys.filter((key) => isActive(key, Date.now()));
    const key = keyId === null ? live[0] : live.find(({ id }) => id === keyId);
    if (key !== undefined) return key;
    if (keyId !== null) throw new KeyNotFoundError();
    throw new CommandFailedError(
      'The issuer has no active key: each is revoked, past its not_after, or before its not_before.',
    );
  }

  rewrapKeys(): Promise<RewrapResult> {
    return this.get(StoredSecretsService).rewrap();
  }

  async close(): Promise<void> {
    await this.context.close();
  }

  private assets<
    Row extends AssetEntity,
    View,
    Create extends CreateAssetDto & Update,
    Update extends UpdateAssetDto,
    List extends ListAssetsDto,
  >(
    service: Type<AssetsService<Row, Create, Update>>,
    view: new (row: Row) => View,
    dtos: {
      readonly create: Type<Create>;
      readonly update: Type<Update>;
      readonly list: Type<List>;
      /** The members that an upload without them gets. */
      readonly uploaded: () => object;
    },
  ): AssetBackend<View, object, object> {
    const rows = (): AssetsService<Row, Create, Update> => this.get(service);
    const show = async (row: Promise<Row>): Promise<Json<View>> => toJson(new view(await row));
    return {
      create: async (input, file) => {
        const values = file === undefined ? input : { ...dtos.uploaded(), ...omitUndefined(input) };
        return show(
          rows().create(
            await this.validate(values, dtos.create),
            file && uploadedFile(file.content, file.filename),
          ),
        );
      },
      list: async (filters) => {
        const found = await allPages(async (cursor) =>
          rows().list(await this.validate({ limit: 100, ...filters, ...cursor }, dtos.list)),
        );
        return found.map((row) => toJson(new view(row)));
      },
      get: (id) => show(rows().get(id)),
      update: async (id, input) => show(rows().update(id, await this.validate(input, dtos.update))),
      replaceOriginal: (id, file) =>
        show(rows().replaceOriginal(id, uploadedFile(file.content, file.filename))),
      delete: (id) => rows().delete(id),
    };
  }

  private get<T>(type: Type<T>): T {
    return this.context.get(type, { strict: false });
  }

  /** @throws InvalidRequestError (422) as the HTTP route does. */
  private async validate<Dto>(input: object, metatype: Type<Dto>): Promise<Dto> {
    return (await this.validation.transform(input, { type: 'body', metatype })) as Dto;
  }
}

/** All rows of a paginated list. */
async function allPages<T>(
  list: (query: { readonly cursor?: string }) => Promise<{ rows: T[]; nextCursor: string | null }>,
): Promise<T[]> {
  const all: T[] = [];
  let cursor: string | null = null;
  do {
    const page: { rows: T[]; nextCursor: string | null } = await list(cursor === null ? {} : { cursor });
    all.push(...page.rows);
    cursor = page.nextCursor;
  } while (cursor !== null);
  return all;
}

/** Host and port of the service on this machine: the loopback address if it listens on all interfaces. */
function hostOf({ host, port }: Environment): string {
  const name = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host;
  return `${name.includes(':') ? `[${name}]` : name}:${port}`;
}

/** A query in the form that routes receive: a repeated name has an array. */
function toRecord(query: URLSearchParams): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    [...query.keys()].map((name) => {
      const [value, ...more] = query.getAll(name);
      return [name, more.length === 0 ? value : [value, ...more]];
    }),
  );
}

function toJson<T>(view: T): Json<T> {
  return JSON.parse(JSON.stringify(view)) as Json<T>;
}
