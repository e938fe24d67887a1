import { Column, CreateDateColumn, Entity, PrimaryColumn, UpdateDateColumn } from 'typeorm';

/** Who may seal tokens: a tenant. */
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

  /** Tokens with an older `iat`, or none, are refused. */
  @Column('timestamptz', { name: 'not_before', nullable: true })
  notBefore!: Date | null;

  /** Read and replaced as a whole; whoever reads it judges it first, by `readStoredPolicy`. */
  @Column('jsonb', { default: {} })
  policy!: object;

  @CreateDateColumn({ name: 'created_at', type: 'timestamptz' })
  createdAt!: Date;

  @UpdateDateColumn({ name: 'updated_at', type: 'timestamptz' })
  updatedAt!: Date;
}
