import { Injectable } from '@nestjs/common';
import { type EntityManager, IsNull, type SelectQueryBuilder } from 'typeorm';
import { ImageDeletedError, ImageNotFoundError } from '../../domain/image.errors.js';
import { tenantFilter } from '../../platform/actor/actor.js';
import type { StoredOriginal } from '../../originals/originals.service.js';
import { ImageEntity } from '../../platform/database/entities/image.entity.js';
import { AssetsService, type Columns } from '../assets/assets.service.js';
import { toDate } from '../requests/instant.js';
import type { CreateImageDto, ListImagesDto, UpdateImageDto } from './image.dto.js';

/** Images. A deleted one keeps its row, and returns 410. */
@Injectable()
export class ImagesService extends AssetsService<ImageEntity, CreateImageDto, UpdateImageDto> {
  protected readonly kind = 'image';
  protected readonly entity = ImageEntity;
  protected readonly live = { deletedAt: IsNull() };
  protected readonly defaults = {
    format: null,
    deliveryType: 'authenticated',
    access: 'token',
    notBefore: null,
  } as const;

  /** @throws ImageNotFoundError (404) @throws ImageDeletedError (410) */
  protected requireRow(row: ImageEntity | null): ImageEntity {
    if (row === null) throw new ImageNotFoundError();
    if (row.deletedAt !== null) throw new ImageDeletedError();
    return row;
  }

  protected columnsOf({ version, format, access, not_before }: UpdateImageDto): Columns<ImageEntity> {
    return { version, format, access, notBefore: toDate(not_before) };
  }

  protected originalColumns(stored: StoredOriginal): Partial<ImageEntity> {
    return stored;
  }

  protected versionOf({ version }: ImageEntity): number {
    return version;
  }

  protected override select(query: ListImagesDto): SelectQueryBuilder<ImageEntity> {
    const rows = super.select(query);
    return query.state === 'deleted' ? rows.withDeleted().andWhere('asset.deletedAt IS NOT NULL') : rows;
  }

  protected override remove(rows: EntityManager, id: string): Promise<unknown> {
    return rows.softDelete(ImageEntity, { id, ...tenantFilter() });
  }
}
