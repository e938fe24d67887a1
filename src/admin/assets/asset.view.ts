import { ApiProperty } from '@nestjs/swagger';
import { DELIVERY_TYPES } from '../../domain/image.js';
import type { AssetEntity } from '../../platform/database/entities/asset.entity.js';

/** What images and overlays have in common in the admin API. */
export abstract class AssetView {
  @ApiProperty({ format: 'uuid', description: 'The id that tokens refer to.' }) readonly id: string;
  @ApiProperty({ format: 'uuid', description: 'The issuer whose tokens can use it.' })
  readonly issuer_id: string;
  @ApiProperty({ description: 'The public id of the original in Cloudinary.' }) readonly public_id: string;
  @ApiProperty({ enum: DELIVERY_TYPES, description: 'Cloudinary’s `type` of the original.' })
  readonly delivery_type: string;
  @ApiProperty({
    type: Date,
    nullable: true,
    description: 'When Cloudinary’s moderation rejected it, so that it is not shown; null: it did not.',
  })
  readonly rejected_at: Date | null;
  @ApiProperty({ description: 'When it was created.' }) readonly created_at: Date;
  @ApiProperty({ description: 'When it was last changed.' }) readonly updated_at: Date;

  constructor(row: AssetEntity) {
    this.id = row.id;
    this.issuer_id = row.issuerId;
    this.public_id = row.publicId;
    this.delivery_type = row.deliveryType;
    this.rejected_at = row.rejectedAt;
    this.created_at = row.createdAt;
    this.updated_at = row.updatedAt;
  }
}
