import { ApiProperty } from '@nestjs/swagger';
import type { AuditEntryEntity } from '../../platform/database/entities/audit-entry.entity.js';

const ROW = { type: 'object', additionalProperties: true, nullable: true } as const;

/** A write as the admin API shows it. */
export class AuditEntryView {
  @ApiProperty({ description: 'Ascending, with gaps.' }) readonly id: string;
  @ApiProperty({ description: 'When it was written.' }) readonly at: Date;
  @ApiProperty({
    description: '`admin_key:<id>`, `environment:<digest>`, `cli`, `demo`, or `database:<role>` for psql.',
  })
  readonly actor: string;
  @ApiProperty({ example: 'image.update', description: 'What was written, and how.' })
  readonly action: string;
  @ApiProperty({ type: String, nullable: true, description: 'The row’s id.' }) readonly row_id: string | null;
  @ApiProperty({
    type: String,
    format: 'uuid',
    nullable: true,
    description: 'Whose row it is; null: nobody’s.',
  })
  readonly issuer_id: string | null;
  @ApiProperty({ ...ROW, description: 'The row before, without secrets.' })
  readonly before: Readonly<Record<string, unknown>> | null;
  @ApiProperty({ ...ROW, description: 'The row after. A secret that was replaced is `"changed"`.' })
  readonly after: Readonly<Record<string, unknown>> | null;
  @ApiProperty({
    type: String,
    nullable: true,
    description: 'The `X-Request-Id` of the request; null: there was none.',
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

export class AuditPageView {
  @ApiProperty({ type: [AuditEntryView], description: 'The rows of this page.' })
  readonly items!: readonly AuditEntryView[];
  @ApiProperty({ type: String, nullable: true, description: 'Where the next page starts; null on the last.' })
  readonly next_cursor!: string | null;
}
