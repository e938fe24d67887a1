import { ApiProperty } from '@nestjs/swagger';
import type { AuditEntryEntity } from '../../platform/database/entities/audit-entry.entity.js';
import { PageViewOf } from '../requests/page.view.js';

const ROW = { type: 'object', additionalProperties: true, nullable: true } as const;

/** A write in the admin API. */
class AuditEntryView {
  @ApiProperty({ description: 'Ascending, with gaps.' }) readonly id: string;
  @ApiProperty({ description: 'When it was written.' }) readonly at: Date;
  @ApiProperty({
    description:
      '`admin_key:<id>`, `environment:<digest>`, `user:<sub>` of the console’s OpenID Connect provider, `cli`, `demo`, or `database:<role>` for a write by SQL.',
  })
  readonly actor: string;
  @ApiProperty({ example: 'image.update', description: 'The kind of row, and of write.' })
  readonly action: string;
  @ApiProperty({ type: String, nullable: true, description: 'The row’s id.' }) readonly row_id: string | null;
  @ApiProperty({
    type: String,
    format: 'uuid',
    nullable: true,
    description: 'The row’s issuer; null for none.',
  })
  readonly issuer_id: string | null;
  @ApiProperty({ ...ROW, description: 'The row before the write, without secrets.' })
  readonly before: Readonly<Record<string, unknown>> | null;
  @ApiProperty({ ...ROW, description: 'The row after the write. A replaced secret is `"changed"`.' })
  readonly after: Readonly<Record<string, unknown>> | null;
  @ApiProperty({
    type: String,
    nullable: true,
    description: 'The `X-Request-Id` of the request; null for a write without one.',
  })
  readonly request_id: string | null;

  constructor(row: AuditEntryEntity) {
    this.id = row.id;
    this.at = row.at;
    this.actor = row.actor;
    this.action = row.action;
    this.row_id = row.rowId;
    this.issuer_id = row.issuerId;
    this.before = row.before;
    this.after = row.after;
    this.request_id = row.requestId;
  }
}

export class AuditPageView extends PageViewOf(AuditEntryView) {}
