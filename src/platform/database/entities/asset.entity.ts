import { Column, JoinColumn, ManyToOne, UpdateDateColumn, type Relation } from 'typeorm';
import type { DeliveryType } from '../../../domain/image.js';
import { IssuerEntity } from './issuer.entity.js';
import { RowEntity } from './row.entity.js';

/** An asset in Cloudinary that belongs to an issuer: an image or an overlay. */
export abstract class AssetEntity extends RowEntity {
  @Column('uuid', { name: 'issuer_id' })
  issuerId!: string;

  @ManyToOne(() => IssuerEntity, { onDelete: 'RESTRICT' })
  @JoinColumn({ name: 'issuer_id' })
  issuer!: Relation<IssuerEntity>;

  @Column('varchar', { name: 'public_id', length: 255 })
  publicId!: string;

  /** Its column is declared by the subclasses, whose defaults differ. */
  abstract deliveryType: DeliveryType;

  /** When Cloudinary's moderation rejected the asset, which is then not shown; null if it did not. */
  @Column('timestamptz', { name: 'rejected_at', nullable: true })
  rejectedAt!: Date | null;

  @UpdateDateColumn({ name: 'updated_at', type: 'timestamptz' })
  updatedAt!: Date;
}
