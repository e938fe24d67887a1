import { randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager, IsNull, type Repository } from 'typeorm';
import { tenantFilter, canAccess } from '../../platform/actor/actor.js';
import { omitUndefined } from '../requests/omit-undefined.js';
import { toDate } from '../requests/instant.js';
import { findPage } from '../requests/page.js';
import { translateAssetErrors } from '../requests/write-conflicts.js';
import { DirectoryService } from '../../directory/directory.service.js';
import { IssuerNotFoundError } from '../issuers/issuer.errors.js';
import { OriginalsService } from '../../originals/originals.service.js';
import { OriginalsStore } from '../../originals/originals.store.js';
import { canonicalUuid } from '../../domain/uuid.js';
import type { CreateImageDto, ListImagesDto, UpdateImageDto } from './image.dto.js';
import { ImageEntity } from '../../platform/database/entities/image.entity.js';
import { ImageDeletedError, ImageNotFoundError } from '../../domain/image.errors.js';

/** Images, for the admin API and the CLI. */
@Injectable()
export class ImagesService {
  private readonly rows: Repository<ImageEntity>;

  constructor(
    private readonly dataSource: DataSource,
    private readonly directory: DirectoryService,
    private readonly originals: OriginalsService,
    private readonly store: OriginalsStore,
  ) {
    this.rows = dataSource.getRepository(ImageEntity);
  }

  /**
   * @param original The file, if it is uploaded too; it determines the format.
   * @throws IdTakenError, PublicIdTakenError (409) @throws IssuerNotFoundError (404); what `OriginalsService` throws.
   */
  async create(dto: CreateImageDto, original?: Buffer): Promise<ImageEntity> {
    if (!canAccess(dto.issuer_id)) throw new IssuerNotFoundError();
    const row = this.rows.create({
      id: dto.id ?? randomUUID(),
      issuerId: dto.issuer_id,
      publicId: dto.public_id,
      version: dto.version,
      format: dto.format ?? null,
      deliveryType: dto.delivery_type ?? 'authenticated',
      access: dto.access ?? 'token',
      notBefore: null,
    });
    await translateAssetErrors<unknown>(
      this.dataSource.manager,
      ImageEntity,
      row,
      original === undefined
        ? this.dataSource.transaction((rows) => rows.insert(ImageEntity, row))
        : this.originals.create(row, original, (rows, kept) =>
            rows.insert(ImageEntity, Object.assign(row, kept)),
          ),
    );
    this.forget(row);
    return row;
  }

  /** @throws ImageNotFoundError (404) @throws ImageDeletedError (410) */
  async get(id: string, rows: EntityManager = this.dataSource.manager): Promise<ImageEntity> {
    const uuid = canonicalUuid(id);
    const row =
      uuid === null
        ? null
        : await rows.findOne(ImageEntity, { where: { id: uuid, ...tenantFilter() }, withDeleted: true });
    if (row === null) throw new ImageNotFoundError();
    if (row.deletedAt !== null) throw new ImageDeletedError();
    return row;
  }

  async list(query: ListImagesDto): Promise<{ rows: ImageEntity[]; nextCursor: string | null }> {
    const rows = this.rows.createQueryBuilder('image').where(tenantFilter());
    if (query.issuer_id !== undefined) rows.andWhere('image.issuerId = :issuer', { issuer: query.issuer_id });
    if (query.public_id !== undefined)
      rows.andWhere('image.publicId = :publicId', { publicId: query.public_id });
    if (query.state === 'deleted') rows.withDeleted().andWhere('image.deletedAt IS NOT NULL');
    return findPage(rows, query);
  }

  /** @throws PublicIdTakenError (409) @throws ImageNotFoundError (404) @throws ImageDeletedError (410) */
  async update(id: string, dto: UpdateImageDto): Promise<ImageEntity> {
    const row = await this.get(id);
    const { public_id: publicId, version, format, delivery_type: deliveryType, access } = dto;
    const notBefore = toDate(dto.not_before);
    const values = omitUndefined({ publicId, version, format, deliveryType, access, notBefore });
    let changed = row;
    await this.store.removeOrphanAfter(row, async () => {
      changed = await translateAssetErrors(
        this.dataSource.manager,
        ImageEntity,
        Object.assign({}, row, values),
        this.dataSource.transaction(async (rows) => {
          await rows.update(ImageEntity, { id: row.id, ...tenantFilter() }, values);
          return this.get(row.id, rows);
        }),
      );
    });
    this.forget(row);
    return changed;
  }

  /**
   * Replaces the original under the same public id; URLs get a new version.
   * @throws ImageNotFoundError (404) @throws ImageDeletedError (410); what `OriginalsService` throws.
   */
  async replaceOriginal(id: string, original: Buffer): Promise<ImageEntity> {
    const row = await this.get(id);
    const version = Math.max(Math.floor(Date.now() / 1_000), row.version + 1);
    const { issuerId, publicId, deliveryType } = row;
    await this.originals.replace(
      { issuerId, publicId, deliveryType, version },
      original,
      async (rows, kept) => {
        const unchanged = {
          id: row.id,
          ...tenantFilter(),
          issuerId,
          publicId,
          deliveryType,
          deletedAt: IsNull(),
        };
        const { affected } = await rows.update(ImageEntity, unchanged, kept);
        if (affected !== 1) throw new ImageNotFoundError();
      },
    );
    this.forget(row);
    return this.get(row.id);
  }

  /** The row stays, and returns 410; the public id is retained for its issuer. @throws ImageNotFoundError (404) @throws ImageDeletedError (410) */
  async delete(id: string): Promise<void> {
    const row = await this.get(id);
    await this.store.removeOrphanAfter(row, () =>
      this.dataSource.transaction((rows) => rows.softDelete(ImageEntity, { id: row.id, ...tenantFilter() })),
    );
    this.forget(row);
  }

  private forget({ id, issuerId }: ImageEntity): void {
    this.directory.rowChanged({ table: 'images', id, issuer_id: issuerId });
  }
}
