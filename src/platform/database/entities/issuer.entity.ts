import { Column, CreateDateColumn, Entity, PrimaryColumn, UpdateDateColumn } from 'typeorm';

/** A tenant, which signs tokens. */
@Entity({ name: 'issuers' })
export class IssuerEntity {
  @PrimaryColumn('uuid')
  id!: string;

  @Column('varchar', { length: 200 })
  name!: string;

  /** Extension of every delivered URL. */
  @Column('varchar', { name: 'delivery_format', length: 10, default: 'jpg' })
  deliveryFormat!: string;

  @Column('boolean', { default: false })
  disabled!: boolean;

  /** Tokens with an older `iat`, or without one, are refused. */
  @Column('timestamptz', { name: 'not_before', nullable: true })
  notBefore!: Date | null;

  /** Read and replaced as a whole; `readStoredPolicy` checks it each time it is read. */
  @Column('jsonb', { default: {} })
  policy!: object;

  @CreateDateColumn({ name: 'created_at', type: 'timestamptz' })
  createdAt!: Date;

  @UpdateDateColumn({ name: 'updated_at', type: 'timestamptz' })
  updatedAt!: Date;
}
