import { Column, Entity, JoinColumn, ManyToOne, OneToOne, PrimaryColumn, type Relation } from 'typeorm';
import type { TokenAlgorithm } from '../../../tokens/signing-key.js';
import { IssuerEntity } from './issuer.entity.js';
import { RowEntity } from './row.entity.js';

/** A signing key of an issuer. Several are active during a rotation. */
@Entity({ name: 'issuer_keys' })
export class IssuerKeyEntity extends RowEntity {
  @Column('uuid', { name: 'issuer_id' })
  issuerId!: string;

  @ManyToOne(() => IssuerEntity, { onDelete: 'CASCADE' })
  @JoinColumn({ name: 'issuer_id' })
  issuer!: Relation<IssuerEntity>;

  @Column('varchar', { length: 5, default: 'HS256' })
  algorithm!: TokenAlgorithm;

  /** The encrypted secret (`SecretBox`); null for a public key. Selected only by name. */
  @Column('bytea', { select: false, nullable: true })
  secret!: Buffer | null;

  /** The public key: SPKI in PEM; null for a secret. */
  @Column('varchar', { name: 'public_key', length: 4096, nullable: true })
  publicKey!: string | null;

  @Column('timestamptz', { name: 'not_before', nullable: true })
  notBefore!: Date | null;

  @Column('timestamptz', { name: 'not_after', nullable: true })
  notAfter!: Date | null;

  /** Null for a key that was never used, undefined where it was not selected. */
  @OneToOne(() => IssuerKeyUseEntity, (use) => use.key)
  use?: Relation<IssuerKeyUseEntity> | null;
}

/**
 * How often a key signed an accepted token, and when last. A separate table, since every change of a key is sent to all
 * processes.
 */
@Entity({ name: 'issuer_key_uses' })
export class IssuerKeyUseEntity {
  @PrimaryColumn('uuid', { name: 'key_id' })
  keyId!: string;

  @OneToOne(() => IssuerKeyEntity, (key) => key.use, { onDelete: 'CASCADE' })
  @JoinColumn({ name: 'key_id' })
  key!: Relation<IssuerKeyEntity>;

  // The driver returns a bigint as text.
  @Column('bigint', { transformer: { from: Number, to: (uses: number) => uses } })
  uses!: number;

  @Column('timestamptz', { name: 'last_used_at' })
  lastUsedAt!: Date;
}
