import {
  Column,
  CreateDateColumn,
  Entity,
  JoinColumn,
  ManyToOne,
  PrimaryColumn,
  type Relation,
} from 'typeorm';
import { IssuerEntity } from './issuer.entity.js';
import type { RevocationKind } from '../../../domain/revocation.js';

/** A token or session of an issuer that is refused. Restoring it deletes the row. */
@Entity({ name: 'revocations' })
export class RevocationEntity {
  @PrimaryColumn('uuid')
  id!: string;

  @Column('uuid', { name: 'issuer_id' })
  issuerId!: string;

  @ManyToOne(() => IssuerEntity, { onDelete: 'CASCADE' })
  @JoinColumn({ name: 'issuer_id' })
  issuer!: Relation<IssuerEntity>;

  @Column('varchar', { length: 7 })
  kind!: RevocationKind;

  /** The claim's value, character by character. */
  @Column('varchar', { length: 255 })
  value!: string;

  /** When the last token it is about has expired, so that the row may go; null for never. */
  @Column('timestamptz', { name: 'expires_at', nullable: true })
  expiresAt!: Date | null;

  @CreateDateColumn({ name: 'revoked_at', type: 'timestamptz' })
  revokedAt!: Date;
}
