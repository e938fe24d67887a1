import { randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { DataSource, type Repository } from 'typeorm';
import { findPage } from '../admin/page.js';
import { namingConflicts } from '../admin/write-conflicts.js';
import { DirectoryService } from '../directory/directory.service.js';
import { canonicalUuid } from '../tokens/uuid.js';
import type { CreateOverlayDto, ListOverlaysDto, UpdateOverlayDto } from './overlay.dto.js';
import { OverlayEntity } from './overlay.entity.js';
import { OverlayNotFoundError } from './overlay.errors.js';

/** Overlays, for the admin API and the CLI. */
@Injectable()
export class OverlaysService {
  private readonly rows: Repository<OverlayEntity>;

  constructor(
    dataSource: DataSource,
    private readonly directory: DirectoryService,
  ) {
    this.rows = dataSource.getRepository(OverlayEntity);
  }

  /** @throws IdTakenError, PublicIdTakenError (409) @throws IssuerNotFoundError (404) */
  async create(dto: CreateOverlayDto): Promise<OverlayEntity> {
    const row = this.rows.create({
      id: dto.id ?? randomUUID(),
      issuerId: dto.issuer_id,
      publicId: dto.public_id,
      deliveryType: dto.delivery_type ?? 'private',
    });
    await namingConflicts(this.rows.insert(row));
    this.forget(row);
    return row;
  }

  /** @throws OverlayNotFoundError (404) */
  async get(id: string): Promise<OverlayEntity> {
    const uuid = canonicalUuid(id);
    const row = uuid === null ? null : await this.rows.findOneBy({ id: uuid });
    if (row === null) throw new OverlayNotFoundError();
    return row;
  }

  async list(query: ListOverlaysDto): Promise<{ rows: OverlayEntity[]; nextCursor: string | null }> {
    const rows = this.rows.createQueryBuilder('overlay');
    if (query.issuer_id !== undefined)
      rows.andWhere('overlay.issuerId = :issuer', { issuer: query.issuer_id });
    if (query.public_id !== undefined)
      rows.andWhere('overlay.publicId = :publicId', { publicId: query.public_id });
    return findPage(rows, query);
  }

  /** @throws PublicIdTakenError (409) @throws OverlayNotFoundError (404) */
  async update(id: string, dto: UpdateOverlayDto): Promise<OverlayEntity> {
    const row = await this.get(id);
    const { public_id: publicId = row.publicId, delivery_type: deliveryType = row.deliveryType } = dto;
    await namingConflicts(this.rows.update({ id: row.id }, { publicId, deliveryType }));
    this.forget(row);
    return this.get(row.id);
  }

  /** Tokens that name it are answered 404 from now on. @throws OverlayNotFoundError (404) */
  async delete(id: string): Promise<void> {
    const row = await this.get(id);
    await this.rows.delete({ id: row.id });
    this.forget(row);
  }

  private forget({ id, issuerId }: OverlayEntity): void {
    this.directory.rowChanged({ table: 'overlays', id, issuer_id: issuerId });
  }
}
