import { randomUUID } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { DataSource, type EntityManager, IsNull, Not } from 'typeorm';
import { DirectoryService } from '../../directory/directory.service.js';
import { accountSecretAad, authTokenKeyAad } from '../../directory/secret-aads.js';
import { ENVIRONMENT_ACCOUNT_ID } from '../../domain/account.js';
import { InvalidRequestError } from '../../domain/request.errors.js';
import { canonicalUuid } from '../../domain/uuid.js';
import { ENVIRONMENT } from '../../platform/config/config.module.js';
import type { Environment } from '../../platform/config/environment.js';
import { SETTINGS } from '../../platform/config/settings.js';
import { AccountSecretEntity } from '../../platform/database/entities/account-secret.entity.js';
import { AccountEntity } from '../../platform/database/entities/account.entity.js';
import { IssuerEntity } from '../../platform/database/entities/issuer.entity.js';
import { SecretBox } from '../../platform/secrets/secret-box.js';
import { toDate } from '../requests/instant.js';
import { omitUndefined } from '../requests/omit-undefined.js';
import { findPage, type Page } from '../requests/page.js';
import { translateConstraintErrors } from '../requests/write-conflicts.js';
import type {
  CreateAccountDto,
  CreateAccountSecretDto,
  ListAccountsDto,
  UpdateAccountDto,
  UpdateAccountSecretDto,
} from './account.dto.js';
import {
  AccountNotEmptyError,
  AccountNotFoundError,
  AccountSecretNotFoundError,
  CloudNameTakenError,
  SigningSecretRequiredError,
  TooManyAccountSecretsError,
} from './account.errors.js';

const MAX_SECRETS = 4;

/** An account with its secrets, newest first; neither contains a secret. */
export interface AccountRows {
  readonly row: AccountEntity;
  readonly secrets: AccountSecretEntity[];
}

/** Creates and changes Cloudinary accounts and their secrets. Only for keys that are not bound to an issuer. */
@Injectable()
export class AccountsService {
  constructor(
    private readonly dataSource: DataSource,
    private readonly secretBox: SecretBox,
    private readonly directory: DirectoryService,
    @Inject(ENVIRONMENT) private readonly environment: Pick<Environment, 'cloudinary'>,
  ) {}

  /**
   * Creates an account and its first secret, which signs.
   * @throws IdTakenError, CloudNameTakenError (409) @throws InvalidRequestError (422) for the id of the environment's.
   */
  async create(dto: CreateAccountDto): Promise<AccountRows> {
    const { cloudName } = this.environment.cloudinary;
    if (dto.cloud_name.toLowerCase() === cloudName.toLowerCase()) throw new CloudNameTakenError();
    const id = dto.id ?? randomUUID();
    if (id === ENVIRONMENT_ACCOUNT_ID) {
      throw new InvalidRequestError([{ key: 'id', detail: 'must not be the nil UUID' }]);
    }
    const created = await translateConstraintErrors(
      this.dataSource.transaction(async (manager) => {
        const row = manager.create(AccountEntity, {
          id,
          name: dto.name,
          cloudName: dto.cloud_name,
          host: dto.host ?? null,
          privateCdn: dto.private_cdn ?? false,
          uploadPrefix: originOf(dto.upload_prefix ?? SETTINGS.CLOUDINARY_UPLOAD_PREFIX.default),
          signature: dto.signature ?? 'sha1',
          authTokenKey: this.encryptTokenKey(id, dto.auth_token_key ?? null),
          disabled: dto.disabled ?? false,
        });
        await manager.insert(AccountEntity, row);
        const { api_key, api_secret } = dto;
        const secret = await this.insertSecret(manager, id, { api_key, api_secret, signs: true });
        return { row, secrets: [secret] };
      }),
    );
    this.invalidate(id);
    return created;
  }

  /** @throws AccountNotFoundError (404) */
  async get(id: string): Promise<AccountRows> {
    const row = await this.getRow(id);
    const secrets = await this.dataSource.getRepository(AccountSecretEntity).find({
      where: { accountId: row.id },
      order: { createdAt: 'DESC', id: 'DESC' },
    });
    return { row, secrets };
  }

  async list({ cloud_name: cloudName, ...page }: ListAccountsDto): Promise<Page<AccountEntity>> {
    const rows = this.dataSource
      .getRepository(AccountEntity)
      .createQueryBuilder('account')
      .addSelect('account.authTokenKey');
    if (cloudName !== undefined) rows.andWhere('account.cloudName = :cloudName', { cloudName });
    return findPage(rows, page);
  }

  /** Ids of accounts with `__cld_token__` and neither a private CDN nor a host, the newest first and at most 100. */
  async listTokensWithoutCdn(): Promise<string[]> {
    const rows = await this.dataSource.getRepository(AccountEntity).find({
      select: { id: true },
      where: { authTokenKey: Not(IsNull()), privateCdn: false, host: IsNull() },
      order: { createdAt: 'DESC' },
      take: 100,
    });
    return rows.map(({ id }) => id);
  }

  /** @throws AccountNotFoundError (404) */
  async update(id: string, dto: UpdateAccountDto): Promise<AccountEntity> {
    const { id: accountId } = await this.getRow(id);
    const row = await this.dataSource.transaction(async (manager) => {
      const values = omitUndefined({
        name: dto.name,
        host: dto.host,
        privateCdn: dto.private_cdn,
        uploadPrefix: dto.upload_prefix && originOf(dto.upload_prefix),
        signature: dto.signature,
        authTokenKey:
          dto.auth_token_key === undefined ? undefined : this.encryptTokenKey(accountId, dto.auth_token_key),
        disabled: dto.disabled,
      });
      await manager.update(AccountEntity, { id: accountId }, values);
      return this.getRow(accountId, manager);
    });
    this.invalidate(accountId);
    return row;
  }

  /** Its retained public ids are released with it. @throws AccountNotFoundError (404) @throws AccountNotEmptyError (409) */
  async delete(id: string): Promise<void> {
    const { id: accountId } = await this.getRow(id);
    await this.dataSource.transaction(async (manager) => {
      // A concurrent insert of an issuer waits for the lock, and then fails without its account.
      await lock(manager, accountId);
      if (await manager.existsBy(IssuerEntity, { accountId })) throw new AccountNotEmptyError();
      await manager.delete(AccountEntity, { id: accountId });
    });
    this.invalidate(accountId);
  }

  /** Adds a secret; the others stay valid. @throws ApiKeyTakenError, TooManyAccountSecretsError (409) */
  async addSecret(id: string, dto: CreateAccountSecretDto): Promise<AccountSecretEntity> {
    const { id: accountId } = await this.getRow(id);
    if (dto.signs === true && dto.not_after != null) throw expiringSigner();
    const secret = await translateConstraintErrors(
      this.dataSource.transaction(async (manager) => {
        await lock(manager, accountId);
        if ((await manager.countBy(AccountSecretEntity, { accountId })) >= MAX_SECRETS)
          throw new TooManyAccountSecretsError(MAX_SECRETS);
        if (dto.signs === true) await stopSigning(manager, accountId);
        return this.insertSecret(manager, accountId, dto);
      }),
    );
    this.invalidate(accountId);
    return secret;
  }

  /**
   * Lets a secret sign instead of the present one, or sets when it expires.
   * @throws AccountSecretNotFoundError (404) @throws SigningSecretRequiredError (409)
   */
  async updateSecret(
    id: string,
    secretId: string,
    { signs, not_after: notAfter }: UpdateAccountSecretDto,
  ): Promise<AccountSecretEntity> {
    const { id: accountId } = await this.getRow(id);
    const secret = await this.dataSource.transaction(async (manager) => {
      await lock(manager, accountId);
      const row = await getSecret(manager, accountId, secretId);
      if (signs === true && notAfter != null) throw expiringSigner();
      if (row.signs && (signs === false || notAfter != null)) throw new SigningSecretRequiredError();
      if (signs === true && !row.signs) await stopSigning(manager, accountId);
      const values = { signs: signs ?? row.signs, notAfter: signs === true ? null : toDate(notAfter) };
      await manager.update(AccountSecretEntity, { id: row.id, accountId }, omitUndefined(values));
      return getSecret(manager, accountId, secretId);
    });
    this.invalidate(accountId);
    return secret;
  }

  /** @throws AccountSecretNotFoundError (404) @throws SigningSecretRequiredError (409) */
  async deleteSecret(id: string, secretId: string): Promise<void> {
    const { id: accountId } = await this.getRow(id);
    await this.dataSource.transaction(async (manager) => {
      await lock(manager, accountId);
      const row = await getSecret(manager, accountId, secretId);
      if (row.signs) throw new SigningSecretRequiredError();
      await manager.delete(AccountSecretEntity, { id: row.id, accountId });
    });
    this.invalidate(accountId);
  }

  private async insertSecret(
    manager: EntityManager,
    accountId: string,
    dto: CreateAccountSecretDto,
  ): Promise<AccountSecretEntity> {
    const id = randomUUID();
    const row = manager.create(AccountSecretEntity, {
      id,
      accountId,
      apiKey: dto.api_key,
      secret: this.secretBox.encrypt(Buffer.from(dto.api_secret), accountSecretAad(accountId, id)),
      signs: dto.signs ?? false,
      notAfter: toDate(dto.not_after ?? null),
    });
    await manager.insert(AccountSecretEntity, row);
    return row;
  }

  private encryptTokenKey(accountId: string, key: string | null): Buffer | null {
    return key === null ? null : this.secretBox.encrypt(Buffer.from(key), authTokenKeyAad(accountId));
  }

  private async getRow(id: string, manager: EntityManager = this.dataSource.manager): Promise<AccountEntity> {
    const uuid = canonicalUuid(id);
    const row =
      uuid === null
        ? null
        : await manager
            .getRepository(AccountEntity)
            .createQueryBuilder('account')
            .addSelect('account.authTokenKey')
            .where({ id: uuid })
            .getOne();
    if (row === null) throw new AccountNotFoundError();
    return row;
  }

  private invalidate(accountId: string): void {
    this.directory.rowChanged({ table: 'accounts', id: accountId, issuer_id: accountId });
  }
}

/** Of two concurrent changes of an account's secrets, the second sees what the first has written. */
async function lock(manager: EntityManager, id: string): Promise<void> {
  const row = await manager.findOne(AccountEntity, { where: { id }, lock: { mode: 'pessimistic_write' } });
  if (row === null) throw new AccountNotFoundError();
}

async function getSecret(
  manager: EntityManager,
  accountId: string,
  secretId: string,
): Promise<AccountSecretEntity> {
  const uuid = canonicalUuid(secretId);
  const row = uuid === null ? null : await manager.findOneBy(AccountSecretEntity, { id: uuid, accountId });
  if (row === null) throw new AccountSecretNotFoundError();
  return row;
}

async function stopSigning(manager: EntityManager, accountId: string): Promise<void> {
  await manager.update(AccountSecretEntity, { accountId, signs: true }, { signs: false });
}

function expiringSigner(): InvalidRequestError {
  return new InvalidRequestError([{ key: 'not_after', detail: 'must be null for the secret that signs' }]);
}

/** Without the trailing slash that a URL may have. */
function originOf(url: string): string {
  return new URL(url).origin;
}
