import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { tenantFilter } from '../../platform/actor/actor.js';
import { findPage, type Page } from '../requests/page.js';
import { canonicalUuid } from '../../domain/uuid.js';
import type { ListRetainedPublicIdsDto } from './retained-public-id.dto.js';
import { RetainedPublicIdEntity } from '../../platform/database/entities/retained-public-id.entity.js';
import { RetainedPublicIdNotFoundError } from './retained-public-id.errors.js';

/** Public ids that are retained for their last issuer. */
@Injectable()
export class RetainedPublicIdsService {
  constructor(private readonly dataSource: DataSource) {}

  async list({
    issuer_id: issuer,
    public_id: publicId,
    ...page
  }: ListRetainedPublicIdsDto): Promise<Page<RetainedPublicIdEntity>> {
    const rows = this.dataSource
      .getRepository(RetainedPublicIdEntity)
      .createQueryBuilder('retained')
      .where(tenantFilter());
    if (issuer !== undefined) rows.andWhere('retained.issuerId = :issuer', { issuer });
    if (publicId !== undefined) rows.andWhere('retained.publicId = :publicId', { publicId });
    return findPage(rows, page);
  }

  /** Lets any issuer register the public id. @throws RetainedPublicIdNotFoundError (404) */
  async release(id: string): Promise<void> {
    const uuid = canonicalUuid(id);
    if (uuid === null) throw new RetainedPublicIdNotFoundError();
    const { affected } = await this.dataSource.transaction((rows) =>
      rows.delete(RetainedPublicIdEntity, { id: uuid, ...tenantFilter() }),
    );
    if (affected !== 1) throw new RetainedPublicIdNotFoundError();
  }
}
