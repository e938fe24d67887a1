import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { tenantFilter } from '../../platform/actor/actor.js';
import { InvalidRequestError } from '../../domain/request.errors.js';
import type { Page } from '../requests/page.js';
import type { ListAuditDto } from './audit.dto.js';
import { AuditEntryEntity } from '../../platform/database/entities/audit-entry.entity.js';

/** Reads the audit log, which only the database's triggers write. */
@Injectable()
export class AuditService {
  constructor(private readonly dataSource: DataSource) {}

  /** Newest first, so added rows shift no page. @throws InvalidRequestError (422) for an invalid cursor. */
  async list({ limit, cursor, ...filters }: ListAuditDto): Promise<Page<AuditEntryEntity>> {
    const own = tenantFilter();
    const rows = this.dataSource.getRepository(AuditEntryEntity).createQueryBuilder('entry').where(own);
    // Bound keys cannot see admin keys, not even their own issuer's.
    if (own.issuerId !== undefined) rows.andWhere(`NOT starts_with(entry.action, 'admin_key.')`);
    if (filters.issuer_id !== undefined)
      rows.andWhere('entry.issuerId = :issuer', { issuer: filters.issuer_id });
    if (filters.action !== undefined) rows.andWhere('entry.action = :action', { action: filters.action });
    if (filters.row_id !== undefined) rows.andWhere('entry.rowId = :row', { row: filters.row_id });
    if (cursor !== undefined) rows.andWhere('entry.id < :before', { before: readCursor(cursor) });
    const found = await rows
      .orderBy('entry.id', 'DESC')
      .limit(limit + 1)
      .getMany();
    const page = found.slice(0, limit);
    const last = page.at(-1);
    const more = found.length > limit && last !== undefined;
    return { rows: page, nextCursor: more ? Buffer.from(last.id).toString('base64url') : null };
  }
}

function readCursor(cursor: string): string {
  const id = Buffer.from(cursor, 'base64url').toString();
  if (/^[1-9]\d{0,17}$/.test(id)) return id;
  throw new InvalidRequestError([{ key: 'cursor', detail: 'must be the next_cursor of a previous page' }]);
}
