import { Column, Entity, Index, PrimaryColumn } from 'typeorm';
import type { DeliveryType } from '../../../domain/image.js';

/**
 * A public id without a row that only its last issuer may register: the asset may still be in the account. The
 * database's triggers insert one when the last row of a public id is deleted, and delete it when the issuer registers
 * the public id again.
 */
@Entity({ name: 'retained_public_ids' })
@Index('retained_public_ids_issuer_id', ['issuerId', 'id'])
export class RetainedPublicIdEntity {
  @PrimaryColumn('uuid')
  id!: string;

  @Column('varchar', { name: 'public_id', length: 255 })
  publicId!: string;

  @Column('varchar', { name: 'delivery_type', length: 13 })
  deliveryType!: DeliveryType;

  /** The issuer may have been deleted since. */
  @Column('uuid', { name: 'issuer_id' })
  issuerId!: string;

  /** Of the image that had it; null for an overlay. */
  @Column('bigint', {
    nullable: true,
    transformer: {
      from: (text: string | null) => (text === null ? null : Number(text)),
      to: (version: number | null) => version,
    },
  })
  version!: number | null;

  @Column('timestamptz', { name: 'retained_at', default: () => 'now()' })
  retainedAt!: Date;
}
