import { Column, Entity, JoinColumn, ManyToOne, type Relation } from 'typeorm';
import type { Scope } from '../../actor/actor.js';
import { IssuerEntity } from './issuer.entity.js';
import { RowEntity } from './row.entity.js';

/** A key of the admin API. Those of `ADMIN_API_KEYS` have no row. */
@Entity({ name: 'admin_keys' })
export class AdminKeyEntity extends RowEntity {
  @Column('varchar', { length: 200 })
  name!: string;

  /** The part of the key that is shown and looked up. */
  @Column('char', { length: 8 })
  prefix!: string;

  /** SHA-256 of the whole key; selected only by name. */
  @Column('bytea', { select: false })
  digest!: Buffer;

  @Column('text', { array: true })
  scopes!: Scope[];

  /** The only issuer whose rows it grants access to; null for all. */
  @Column('uuid', { name: 'issuer_id', nullable: true })
  issuerId!: string | null;

  @ManyToOne(() => IssuerEntity, { onDelete: 'CASCADE', nullable: true })
  @JoinColumn({ name: 'issuer_id' })
  issuer!: Relation<IssuerEntity> | null;

  @Column('timestamptz', { name: 'expires_at', nullable: true })
  expiresAt!: Date | null;

  /** Accurate to about a minute: it is written outside of requests. */
  @Column('timestamptz', { name: 'last_used_at', nullable: true })
  lastUsedAt!: Date | null;
}
