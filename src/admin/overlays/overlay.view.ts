import { ApiProperty } from '@nestjs/swagger';
import { DELIVERY_TYPES } from '../../domain/image.js';
import type { OverlayEntity } from '../../platform/database/entities/overlay.entity.js';

/** An overlay in the admin API. */
export class OverlayView {
  @ApiProperty({ format: 'uuid', description: 'The id that tokens refer to.' })
  readonly id: string;
  @ApiProperty({ format: 'uuid', description: 'The issuer whose tokens can use it.' })
  readonly issuer_id: string;
  @ApiProperty({ description: 'The public id of the original in Cloudinary.' }) readonly public_id: string;
  @ApiProperty({ enum: DELIVERY_TYPES, description: 'Cloudinary’s `type` of the original.' })
  readonly delivery_type: string;
  @ApiProperty({ description: 'When it was created.' }) readonly created_at: Date;
  @ApiProperty({ description: 'When it was last changed.' }) readonly updated_at: Date;

  constructor(row: OverlayEntity) {
    this.id = row.id;
    this.issuer_id = row.issuerId;
    this.public_id = row.publicId;
    this.delivery_type = row.deliveryType;
    this.created_at = row.createdAt;
    this.updated_at = row.updatedAt;
  }
}

export class OverlayPageView {
  @ApiProperty({ type: [OverlayView], description: 'The rows of this page.' })
  readonly items!: readonly OverlayView[];
  @ApiProperty({
    type: String,
    nullable: true,
    description: 'The `cursor` of the next page; null on the last.',
  })
  readonly next_cursor!: string | null;
}
