import { Column, Entity, JoinColumn, ManyToOne, UpdateDateColumn, type Relation } from 'typeorm';
import { AccountEntity } from './account.entity.js';
import { RowEntity } from './row.entity.js';

/** A tenant, which signs tokens. */
@Entity({ name: 'issuers' })
export class IssuerEntity extends RowEntity {
  @Column('varchar', { length: 200 })
  name!: string;

  /** Extension of every delivered URL; `original` for that of each image. */
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

  /** The Cloudinary account that delivers its images; null for that of the environment. */
  @Column('uuid', { name: 'account_id', nullable: true })
  accountId!: string | null;

  @ManyToOne(() => AccountEntity, { onDelete: 'RESTRICT', nullable: true })
  @JoinColumn({ name: 'account_id' })
  account!: Relation<AccountEntity> | null;

  /** Other values of `iss` that its tokens may have; unique among all issuers. */
  @Column('text', { name: 'iss_aliases', array: true, default: [] })
  issAliases!: string[];

  /** Required in the `aud` of tokens that a public key verifies. */
  @Column('varchar', { length: 255, nullable: true })
  aud!: string | null;

  /** Where further public keys are fetched: a JSON Web Key Set. */
  @Column('varchar', { name: 'jwks_url', length: 500, nullable: true })
  jwksUrl!: string | null;

  @UpdateDateColumn({ name: 'updated_at', type: 'timestamptz' })
  updatedAt!: Date;
}
