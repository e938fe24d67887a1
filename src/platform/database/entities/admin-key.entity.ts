import {
  Column,
  CreateDateColumn,
  Entity,
  JoinColumn,
  ManyToOne,
  PrimaryColumn,
  type Relation,
} from 'typeorm';
import type { Scope } from '../../actor/actor.js';
import { IssuerEntity } from './issuer.entity.js';

/** A key of the admin API. Those of `ADMIN_API_KEYS` have no row. */
@Entity({ name: 'admin_keys' })
export class AdminKeyEntity {
  @PrimaryColumn('uuid')
  id!: string;

  @Column('varchar', { length: 200 })
  name!: string;

  /** The part of the key that is shown: what it is found by. */
  @Column('char', { length: 8 })
  prefix!: string;

  /** SHA-256 of the whole key; never selected unless asked for by name. */
  @Column('bytea', { select: false })
  digest!: Buffer;

  @Column('text', { array: true })
  scopes!: Scope[];

  /** The one issuer whose rows it opens; null for all. */
  @Column('uuid', { name: 'issuer_id', nullable: true })
  issuerId!: string | null;

  @ManyToOne(() => IssuerEntity, { onDelete: 'CASCADE', nullable: true })
  @JoinColumn({ name: 'issuer_id' })
  issuer!: Relation<IssuerEntity> | null;

  @Column('timestamptz', { name: 'expires_at', nullable: true })
  expiresAt!: Date | null;

  @CreateDateColumn({ name: 'created_at', type: 'timestamptz' })
  createdAt!: Date;

  /** To the minute or so: written now and then, never on a request's way. */
  @Column('timestamptz', { name: 'last_used_at', nullable: true })
  lastUsedAt!: Date | null;
}
