import { ApiProperty } from '@nestjs/swagger';
import { DELIVERY_TYPES } from '../../domain/image.js';
import type { OverlayEntity } from '../../platform/database/entities/overlay.entity.js';

/** An overlay as the admin API shows it. */
export class OverlayView {
  @ApiProperty({ format: 'uuid', description: 'What a step’s `overlay` or `underlay` names.' })
  readonly id: string;
  @ApiProperty({ format: 'uuid', description: 'Whose tokens may name it.' }) readonly issuer_id: string;
  @ApiProperty({ description: 'Of the layer’s original in Cloudinary.' }) readonly public_id: string;
  @ApiProperty({ enum: DELIVERY_TYPES, description: 'Cloudinary’s `type` of the original.' })
  readonly delivery_type: string;
  @ApiProperty({ description: 'When it was made.' }) readonly created_at: Date;
  @ApiProperty({ description: 'When it was changed last.' }) readonly updated_at: Date;

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
  @ApiProperty({ type: String, nullable: true, description: 'Where the next page starts; null on the last.' })
  readonly next_cursor!: string | null;
}
