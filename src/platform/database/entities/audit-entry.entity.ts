import { Column, Entity, PrimaryColumn } from 'typeorm';

/** One write, recorded by the database's triggers in the same transaction. Append-only, by a trigger too. */
@Entity({ name: 'audit_log' })
export class AuditEntryEntity {
  /** A bigint, as text. */
  @PrimaryColumn('bigint')
  id!: string;

  @Column('timestamptz', { default: () => 'clock_timestamp()' })
  at!: Date;

  /** `admin_key:<id>`, `environment:<digest>`, `cli`, `demo`, `service`, or `database:<role>` for what was written by hand. */
  @Column('text')
  actor!: string;

  /** `<noun>.<create, update, delete or truncate>`. */
  @Column('text')
  action!: string;

  @Column('text', { name: 'row_id', nullable: true })
  rowId!: string | null;

  @Column('uuid', { name: 'issuer_id', nullable: true })
  issuerId!: string | null;

  /** The row by its columns, without secrets; null where it did not exist. */
  @Column('jsonb', { nullable: true })
  before!: Readonly<Record<string, unknown>> | null;

  @Column('jsonb', { nullable: true })
  after!: Readonly<Record<string, unknown>> | null;

  @Column('text', { name: 'request_id', nullable: true })
  requestId!: string | null;
}
