import { randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager, type Repository } from 'typeorm';
import { tenantFilter, canAccess } from '../../platform/actor/actor.js';
import { omitUndefined } from '../requests/omit-undefined.js';
import { findPage } from '../requests/page.js';
import { translateAssetErrors } from '../requests/write-conflicts.js';
import { DirectoryService } from '../../directory/directory.service.js';
import { IssuerNotFoundError } from '../issuers/issuer.errors.js';
import { OriginalsService } from '../../originals/originals.service.js';
import { OriginalsStore } from '../../originals/originals.store.js';
import { canonicalUuid } from '../../domain/uuid.js';
import type { CreateOverlayDto, ListOverlaysDto, UpdateOverlayDto } from './overlay.dto.js';
import { OverlayEntity } from '../../platform/database/entities/overlay.entity.js';
import { OverlayNotFoundError } from '../../domain/overlay.errors.js';

/** Overlays, for the admin API and the CLI. */
@Injectable()
export class OverlaysService {
  private readonly rows: Repository<OverlayEntity>;

  constructor(
    private readonly dataSource: DataSource,
    private readonly directory: DirectoryService,
    private readonly originals: OriginalsService,
    private readonly store: OriginalsStore,
  ) {
    this.rows = dataSource.getRepository(OverlayEntity);
  }

  /**
   * @param original The file, if it is uploaded too.
   * @throws IdTakenError, PublicIdTakenError (409) @throws IssuerNotFoundError (404); what `OriginalsService` throws.
   */
  async create(dto: CreateOverlayDto, original?: Buffer): Promise<OverlayEntity> {
    if (!canAccess(dto.issuer_id)) throw new IssuerNotFoundError();
    const row = this.rows.create({
      id: dto.id ?? randomUUID(),
      issuerId: dto.issuer_id,
      publicId: dto.public_id,
      deliveryType: dto.delivery_type ?? 'private',
    });
    const { issuerId, publicId, deliveryType } = row;
    const name = { issuerId, publicId, deliveryType, version: unixNow() };
    await translateAssetErrors<unknown>(
      this.dataSource.manager,
      OverlayEntity,
      row,
      original === undefined
        ? this.dataSource.transaction((rows) => rows.insert(OverlayEntity, row))
        : this.originals.create(name, original, (rows) => rows.insert(OverlayEntity, row)),
    );
    this.forget(row);
    return row;
  }

  /** @throws OverlayNotFoundError (404) */
  async get(id: string, rows: EntityManager = this.dataSource.manager): Promise<OverlayEntity> {
    const uuid = canonicalUuid(id);
    const row = uuid === null ? null : await rows.findOneBy(OverlayEntity, { id: uuid, ...tenantFilter() });
    if (row === null) throw new OverlayNotFoundError();
    return row;
  }

  async list(query: ListOverlaysDto): Promise<{ rows: OverlayEntity[]; nextCursor: string | null }> {
    const rows = this.rows.createQueryBuilder('overlay').where(tenantFilter());
    if (query.issuer_id !== undefined)
      rows.andWhere('overlay.issuerId = :issuer', { issuer: query.issuer_id });
    if (query.public_id !== undefined)
      rows.andWhere('overlay.publicId = :publicId', { publicId: query.public_id });
    return findPage(rows, query);
  }

  /** @throws PublicIdTakenError (409) @throws OverlayNotFoundError (404) */
  async update(id: string, dto: UpdateOverlayDto): Promise<OverlayEntity> {
    const row = await this.get(id);
    const values = omitUndefined({ publicId: dto.public_id, deliveryType: dto.delivery_type });
    let changed = row;
    await this.store.removeOrphanAfter(row, async () => {
      changed = await translateAssetErrors(
        this.dataSource.manager,
        OverlayEntity,
        Object.assign({}, row, values),
        this.dataSource.transaction(async (rows) => {
          await rows.update(OverlayEntity, { id: row.id, ...tenantFilter() }, values);
          return this.get(row.id, rows);
        }),
      );
    });
    this.forget(row);
    return changed;
  }

  /**
   * Replaces the original under the same public id. @throws OverlayNotFoundError (404); what `OriginalsService` throws.
   */
  async replaceOriginal(id: string, original: Buffer): Promise<OverlayEntity> {
    const row = await this.get(id);
    const { issuerId, publicId, deliveryType } = row;
    await this.originals.replace(
      { issuerId, publicId, deliveryType, version: unixNow() },
      original,
      async (rows) => {
        const unchanged = { id: row.id, ...tenantFilter(), issuerId, publicId, deliveryType };
        const { affected } = await rows.update(OverlayEntity, unchanged, { updatedAt: () => 'now()' });
        if (affected !== 1) throw new OverlayNotFoundError();
      },
    );
    return this.get(row.id);
  }

  /** Tokens that refer to it return 404 from now on. @throws OverlayNotFoundError (404) */
  async delete(id: string): Promise<void> {
    const row = await this.get(id);
    await this.store.removeOrphanAfter(row, () =>
      this.dataSource.transaction((rows) => rows.delete(OverlayEntity, { id: row.id, ...tenantFilter() })),
    );
    this.forget(row);
  }

  private forget({ id, issuerId }: OverlayEntity): void {
    this.directory.rowChanged({ table: 'overlays', id, issuer_id: issuerId });
  }
}

/** Cloudinary's versions are Unix seconds. */
function unixNow(): number {
  return Math.floor(Date.now() / 1_000);
}
