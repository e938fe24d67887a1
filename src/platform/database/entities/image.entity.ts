import { Column, DeleteDateColumn, Entity } from 'typeorm';
import type { DeliveryType, ImageAccess } from '../../../domain/image.js';
import { AssetEntity } from './asset.entity.js';

/** An original in Cloudinary. A deleted one stays as a row that returns 410. */
@Entity({ name: 'images' })
export class ImageEntity extends AssetEntity {
  @Column('varchar', { name: 'delivery_type', length: 13, default: 'authenticated' })
  deliveryType!: DeliveryType;

  // The driver returns a bigint as text; the API's limit is a safe integer.
  @Column('bigint', {
    transformer: { from: (text: string) => Number(text), to: (version: number) => version },
  })
  version!: number;

  /** Of the original: the extension of its URLs if the issuer's delivery format is `original`. */
  @Column('varchar', { length: 10, nullable: true })
  format!: string | null;

  @Column('varchar', { length: 6, default: 'token' })
  access!: ImageAccess;

  /** Tokens with an older `iat`, or without one, are refused. */
  @Column('timestamptz', { name: 'not_before', nullable: true })
  notBefore!: Date | null;

  @DeleteDateColumn({ name: 'deleted_at', type: 'timestamptz', nullable: true })
  deletedAt!: Date | null;
}
