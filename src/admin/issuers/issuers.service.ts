import { randomBytes, randomUUID } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { And, DataSource, Equal, IsNull, Not, type EntityManager } from 'typeorm';
import { tenantFilter } from '../../platform/actor/actor.js';
import { InvalidRequestError } from '../../domain/request.errors.js';
import { omitUndefined } from '../requests/omit-undefined.js';
import { toDate } from '../requests/instant.js';
import { contains, findPage, type Page } from '../requests/page.js';
import { translateConstraintErrors } from '../requests/write-conflicts.js';
import { ENVIRONMENT } from '../../platform/config/config.module.js';
import type { Environment } from '../../platform/config/environment.js';
import { DirectoryService } from '../../directory/directory.service.js';
import { ImageEntity } from '../../platform/database/entities/image.entity.js';
import { OverlayEntity } from '../../platform/database/entities/overlay.entity.js';
import type { PolicyDto } from './policy.dto.js';
import { PolicyRowsService } from './policy-rows.service.js';
import type { PolicyDocument } from '../../policy/policy.js';
import { SecretBox } from '../../platform/secrets/secret-box.js';
import { canonicalUuid } from '../../domain/uuid.js';
import { readPublicKey, writePublicKey } from '../../tokens/public-key.js';
import {
  isPublicKeyAlgorithm,
  PUBLIC_KEY_ALGORITHMS,
  type TokenAlgorithm,
} from '../../tokens/signing-key.js';
import type {
  CreateIssuerDto,
  CreateKeyDto,
  ListIssuersDto,
  UpdateIssuerDto,
  UpdateKeyDto,
} from './issuer.dto.js';
import { IssuerEntity } from '../../platform/database/entities/issuer.entity.js';
import {
  IssuerNotEmptyError,
  IssuerNotFoundError,
  KeyNotFoundError,
  TooManyKeysError,
} from './issuer.errors.js';
import { issuerKeyAad } from '../../directory/secret-aads.js';
import { IssuerKeyEntity } from '../../platform/database/entities/issuer-key.entity.js';

const MAX_KEYS = 8;
const SECRET_BYTES = 32;

/** A stored key with its secret, which is not returned again; null for a public key. */
export interface NewKey {
  readonly row: IssuerKeyEntity;
  readonly secret: string | null;
}

/** Creates and changes issuers and their keys. */
@Injectable()
export class IssuersService {
  constructor(
    private readonly dataSource: DataSource,
    private readonly secretBox: SecretBox,
    private readonly directory: DirectoryService,
    private readonly policyRows: PolicyRowsService,
    @Inject(ENVIRONMENT) private readonly environment: Pick<Environment, 'defaultPolicy'>,
  ) {}

  /**
   * Creates an issuer and its first key. Without a policy it gets `DEFAULT_POLICY`.
   * @throws IdTakenError, IssAliasTakenError (409) @throws AccountNotFoundError (404)
   * @throws InvalidRequestError (422) for a policy that refers to rows that are not the issuer's, or an invalid key.
   */
  async create(dto: CreateIssuerDto, key = dto.key ?? {}): Promise<{ row: IssuerEntity; key: NewKey }> {
    const created = await translateConstraintErrors(
      this.dataSource.transaction(async (manager) => {
        const policy =
          dto.policy === undefined ? (this.environment.defaultPolicy ?? {}) : documentOf(dto.policy);
        const row = manager.create(IssuerEntity, {
          id: dto.id ?? randomUUID(),
          name: dto.name,
          deliveryFormat: dto.delivery_format ?? 'jpg',
          accountId: dto.account_id ?? null,
          disabled: dto.disabled ?? false,
          notBefore: null,
          issAliases: dto.iss_aliases ?? [],
          aud: dto.aud ?? null,
          jwksUrl: dto.jwks_url ?? null,
          policy,
        });
        requireAudience(row);
        await this.policyRows.require(manager, row, policy);
        await manager.insert(IssuerEntity, row);
        return { row, key: await this.insertKey(manager, row.id, key, 'key.') };
      }),
    );
    this.invalidate(created.row.id);
    return created;
  }

  /** @throws IssuerNotFoundError (404) */
  async get(id: string): Promise<{ row: IssuerEntity; keys: IssuerKeyEntity[] }> {
    const row = await this.getRow(id);
    const keys = await this.dataSource.getRepository(IssuerKeyEntity).find({
      where: { issuerId: row.id },
      relations: { use: true },
      order: { createdAt: 'DESC', id: 'DESC' },
    });
    return { row, keys };
  }

  async list({ name, search, ...page }: ListIssuersDto): Promise<Page<IssuerEntity>> {
    const rows = this.dataSource.getRepository(IssuerEntity).createQueryBuilder('issuer');
    const { issuerId } = tenantFilter();
    if (issuerId !== undefined) rows.andWhere('issuer.id = :own', { own: issuerId });
    if (name !== undefined) rows.andWhere('issuer.name = :name', { name });
    if (search !== undefined) contains(rows, 'name', search);
    return findPage(rows, page);
  }

  /**
   * @throws IssuerNotFoundError, AccountNotFoundError (404)
   * @throws IssuerNotEmptyError (409) if its account changes while it has images or overlays there.
   * @throws IssAliasTakenError (409)
   */
  async update(id: string, dto: UpdateIssuerDto): Promise<IssuerEntity> {
    const before = await this.getRow(id);
    const issuerId = before.id;
    const { name, delivery_format: deliveryFormat, account_id: accountId, disabled } = dto;
    const { iss_aliases: issAliases, aud, jwks_url: jwksUrl } = dto;
    const policy = dto.policy && documentOf(dto.policy);
    const notBefore = toDate(dto.not_before);
    const row = await translateConstraintErrors(
      this.dataSource.transaction(async (manager) => {
        if (policy !== undefined) {
          const { accountId: unchanged } = before;
          const issuer = { id: issuerId, accountId: accountId === undefined ? unchanged : accountId };
          await this.policyRows.require(manager, issuer, policy);
        }
        const values = omitUndefined({
          ...{ name, deliveryFormat, accountId, disabled, notBefore, policy },
          ...{ issAliases, aud, jwksUrl },
        });
        await manager.update(IssuerEntity, { id: issuerId }, values);
        const updated = await this.getRow(issuerId, manager);
        if (issAliases !== undefined || aud !== undefined || jwksUrl !== undefined) requireAudience(updated);
        return updated;
      }),
    );
    this.invalidate(issuerId);
    return row;
  }

  /** @throws IssuerNotFoundError (404) @throws IssuerNotEmptyError (409) */
  async delete(id: string): Promise<void> {
    const { id: issuerId } = await this.getRow(id);
    await this.dataSource.transaction(async (manager) => {
      // A concurrent insert of an image waits for the lock, and then fails without its issuer.
      await manager.findOne(IssuerEntity, { where: { id: issuerId }, lock: { mode: 'pessimistic_write' } });
      const used =
        (await manager.existsBy(ImageEntity, { issuerId })) ||
        (await manager.existsBy(OverlayEntity, { issuerId }));
      if (used) throw new IssuerNotEmptyError();
      await manager.delete(ImageEntity, { issuerId, deletedAt: Not(IsNull()) });
      await manager.delete(IssuerEntity, { id: issuerId });
    });
    this.invalidate(issuerId);
  }

  /** Creates a further key; the others stay valid. @throws TooManyKeysError (409), InvalidRequestError (422) */
  async addKey(id: string, dto: CreateKeyDto): Promise<NewKey> {
    const { id: issuerId } = await this.getRow(id);
    const key = await this.dataSource.transaction(async (manager) => {
      const issuer = await manager.findOne(IssuerEntity, {
        where: { id: issuerId },
        lock: { mode: 'pessimistic_write' },
      });
      if (issuer === null) throw new IssuerNotFoundError();
      if ((await manager.countBy(IssuerKeyEntity, { issuerId })) >= MAX_KEYS)
        throw new TooManyKeysError(MAX_KEYS);
      return this.insertKey(manager, issuerId, dto);
    });
    this.invalidate(issuerId);
    return key;
  }

  /** Sets when a key is valid. @throws KeyNotFoundError (404) */
  async updateKey(id: string, keyId: string, dto: UpdateKeyDto): Promise<IssuerKeyEntity> {
    const { id: uuid, issuerId } = await this.getKey(id, keyId);
    const where = { id: uuid, issuerId };
    const key = await this.dataSource.transaction(async (manager) => {
      // Of two concurrent changes, each of one time, the second is checked against what the first has written.
      const row = await manager.findOne(IssuerKeyEntity, { where, lock: { mode: 'pessimistic_write' } });
      if (row === null) throw new KeyNotFoundError();
      const { not_before: notBefore = row.notBefore, not_after: notAfter = row.notAfter } = dto;
      const times = { notBefore: toDate(notBefore), notAfter: toDate(notAfter) };
      requireOrder(times);
      await manager.update(IssuerKeyEntity, where, times);
      return this.getKey(id, keyId, manager);
    });
    this.invalidate(issuerId);
    return key;
  }

  /** Deletes a key: its tokens are refused from now on. @throws KeyNotFoundError (404) */
  async revokeKey(id: string, keyId: string): Promise<void> {
    const key = await this.getKey(id, keyId);
    await this.dataSource.transaction((manager) =>
      manager.delete(IssuerKeyEntity, { id: key.id, issuerId: key.issuerId }),
    );
    this.invalidate(key.issuerId);
  }

  /** @param path The key's path in the body, for errors. */
  private async insertKey(
    manager: EntityManager,
    issuerId: string,
    dto: CreateKeyDto,
    path = '',
  ): Promise<NewKey> {
    const id = randomUUID();
    const { algorithm, secret, publicKey } = readKeyMaterial(dto, path);
    const times = { notBefore: toDate(dto.not_before ?? null), notAfter: toDate(dto.not_after ?? null) };
    requireOrder(times);
    const row = manager.create(IssuerKeyEntity, {
      id,
      issuerId,
      algorithm,
      secret:
        secret === null ? null : this.secretBox.encrypt(Buffer.from(secret), issuerKeyAad(issuerId, id)),
      publicKey,
      ...times,
    });
    await manager.insert(IssuerKeyEntity, row);
    return { row, secret };
  }

  private async getRow(id: string, manager: EntityManager = this.dataSource.manager): Promise<IssuerEntity> {
    const uuid = canonicalUuid(id);
    const { issuerId } = tenantFilter();
    const row =
      uuid === null
        ? null
        : await manager.findOneBy(IssuerEntity, {
            id: issuerId === undefined ? uuid : And(Equal(uuid), Equal(issuerId)),
          });
    if (row === null) throw new IssuerNotFoundError();
    return row;
  }

  private async getKey(
    id: string,
    keyId: string,
    manager: EntityManager = this.dataSource.manager,
  ): Promise<IssuerKeyEntity> {
    const { id: issuerId } = await this.getRow(id, manager);
    const uuid = canonicalUuid(keyId);
    const key =
      uuid === null
        ? null
        : await manager.findOne(IssuerKeyEntity, {
            where: { id: uuid, issuerId },
            relations: { use: true },
          });
    if (key === null) throw new KeyNotFoundError();
    return key;
  }

  private invalidate(issuerId: string): void {
    this.directory.rowChanged({ table: 'issuers', id: issuerId, issuer_id: issuerId });
  }
}

/** The policy without undefined members, for a column that is replaced as a whole. */
function documentOf(dto: PolicyDto): PolicyDocument {
  const { placeholder, ...rest } = dto;
  return omitUndefined({ ...rest, placeholder: placeholder?.toLowerCase() });
}

/**
 * An identity provider signs tokens for all its clients: without an audience each of them opens images here.
 * @throws InvalidRequestError (422)
 */
function requireAudience({ issAliases, aud, jwksUrl }: IssuerEntity): void {
  if (issAliases.length === 0 || jwksUrl === null || aud !== null) return;
  const detail = 'is required with iss_aliases and jwks_url: the provider also signs tokens for others';
  throw new InvalidRequestError([{ key: 'aud', detail }]);
}

/** What a key consists of: a secret, generated by default, or a public key. @throws InvalidRequestError (422) */
function readKeyMaterial(
  { algorithm = 'HS256', secret, public_key: publicKey }: CreateKeyDto,
  path: string,
): { readonly algorithm: TokenAlgorithm; readonly secret: string | null; readonly publicKey: string | null } {
  const refuse = (key: string, detail: string): InvalidRequestError =>
    new InvalidRequestError([{ key: path + key, detail }]);
  if (!isPublicKeyAlgorithm(algorithm)) {
    if (publicKey !== undefined) {
      throw refuse(
        'public_key',
        `must be omitted with ${algorithm}: it is for ${PUBLIC_KEY_ALGORITHMS.join(', ')}`,
      );
    }
    return { algorithm, secret: secret ?? randomBytes(SECRET_BYTES).toString('base64url'), publicKey: null };
  }
  if (secret !== undefined) throw refuse('secret', `must be omitted with ${algorithm}`);
  if (publicKey === undefined) throw refuse('public_key', `is required with ${algorithm}`);
  const read = readPublicKey(publicKey, algorithm);
  if ('fault' in read) throw refuse('public_key', read.fault);
  return { algorithm, secret: null, publicKey: writePublicKey(read.key) };
}

function requireOrder({ notBefore, notAfter }: { notBefore: Date | null; notAfter: Date | null }): void {
  if (notBefore === null || notAfter === null || notBefore < notAfter) return;
  throw new InvalidRequestError([{ key: 'not_after', detail: 'must be later than not_before' }]);
}
