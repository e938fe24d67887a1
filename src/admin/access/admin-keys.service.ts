import { randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { getActor, tenantFilter } from '../../platform/actor/actor.js';
import { InsufficientScopeError } from '../requests/admin.errors.js';
import { findPage, type Page } from '../requests/page.js';
import { translateConstraintErrors } from '../requests/write-conflicts.js';
import { canonicalUuid } from '../../domain/uuid.js';
import type { CreateAdminKeyDto, ListAdminKeysDto } from './admin-key.dto.js';
import { AdminKeyEntity } from '../../platform/database/entities/admin-key.entity.js';
import { AdminKeyNotFoundError, TooManyAdminKeysError } from './admin-key.errors.js';
import { digestOf, generateAdminKey } from './admin-key.js';
import { AdminKeyDirectoryService } from './admin-key-directory.service.js';

const MAX_KEYS = 10_000;
/** Any fixed number: the lock under which admin keys are counted. */
const COUNT_LOCK = 7_164_952;

/** Creates, lists and revokes admin keys. */
@Injectable()
export class AdminKeysService {
  constructor(
    private readonly dataSource: DataSource,
    private readonly directory: AdminKeyDirectoryService,
  ) {}

  /**
   * Creates a key, with at most the caller's scopes and lifetime.
   * @throws InsufficientScopeError (403) @throws IssuerNotFoundError (404) @throws TooManyAdminKeysError (409)
   */
  async create(dto: CreateAdminKeyDto): Promise<{ row: AdminKeyEntity; key: string }> {
    const expiresAt = dto.expires_at == null ? null : new Date(dto.expires_at);
    requireSubset(dto, expiresAt);
    const { key, prefix } = generateAdminKey();
    const row = await translateConstraintErrors(
      this.dataSource.transaction(async (manager) => {
        await requireBelowLimit(manager);
        const created = manager.create(AdminKeyEntity, {
          id: randomUUID(),
          name: dto.name,
          prefix,
          digest: digestOf(key),
          scopes: dto.scopes,
          issuerId: dto.issuer_id ?? null,
          expiresAt,
          lastUsedAt: null,
        });
        await manager.insert(AdminKeyEntity, created);
        return created;
      }),
    );
    this.directory.invalidate();
    return { row, key };
  }

  /** @throws AdminKeyNotFoundError (404) */
  async get(id: string): Promise<AdminKeyEntity> {
    const uuid = canonicalUuid(id);
    const row =
      uuid === null
        ? null
        : await this.dataSource.getRepository(AdminKeyEntity).findOneBy({ id: uuid, ...tenantFilter() });
    if (row === null) throw new AdminKeyNotFoundError();
    return row;
  }

  async list(query: ListAdminKeysDto): Promise<Page<AdminKeyEntity>> {
    const rows = this.dataSource
      .getRepository(AdminKeyEntity)
      .createQueryBuilder('key')
      .where(tenantFilter());
    if (query.issuer_id !== undefined) rows.andWhere('key.issuerId = :issuer', { issuer: query.issuer_id });
    return findPage(rows, query);
  }

  /** @throws AdminKeyNotFoundError (404) */
  async revoke(id: string): Promise<void> {
    const row = await this.get(id);
    await this.dataSource.transaction((manager) =>
      manager.delete(AdminKeyEntity, { id: row.id, ...tenantFilter() }),
    );
    this.directory.invalidate();
  }
}

/** A key must not create one with more scopes or a longer lifetime than its own. */
function requireSubset({ scopes }: CreateAdminKeyDto, expiresAt: Date | null): void {
  const actor = getActor();
  const missing = scopes.find((scope) => !actor.scopes.includes(scope));
  if (missing !== undefined) throw InsufficientScopeError.ofScope(missing);
  if (actor.expiresAt !== null && (expiresAt === null || expiresAt > actor.expiresAt)) {
    throw InsufficientScopeError.ofLifetime(actor.expiresAt);
  }
}

async function requireBelowLimit(manager: EntityManager): Promise<void> {
  await manager.query('SELECT pg_advisory_xact_lock($1)', [COUNT_LOCK]);
  if ((await manager.count(AdminKeyEntity)) >= MAX_KEYS) throw new TooManyAdminKeysError(MAX_KEYS);
}
