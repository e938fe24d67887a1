import { Column, Entity, JoinColumn, OneToOne, PrimaryColumn, type Relation } from 'typeorm';
import { IssuerKeyEntity } from './issuer-key.entity.js';

/** How often a key sealed an accepted token, and when last: apart from the key, whose changes are told to all. */
@Entity({ name: 'issuer_key_uses' })
export class IssuerKeyUseEntity {
  @PrimaryColumn('uuid', { name: 'key_id' })
  keyId!: string;

  @OneToOne(() => IssuerKeyEntity, (key) => key.use, { onDelete: 'CASCADE' })
  @JoinColumn({ name: 'key_id' })
  key!: Relation<IssuerKeyEntity>;

  // The driver gives a bigint as text.
  @Column('bigint', { transformer: { from: Number, to: (uses: number) => uses } })
  uses!: number;

  @Column('timestamptz', { name: 'last_used_at' })
  lastUsedAt!: Date;
}
