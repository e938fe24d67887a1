import { ApiProperty } from '@nestjs/swagger';
import { DELIVERY_TYPES } from '../images/image.js';
import type { OverlayEntity } from './overlay.entity.js';

/** An overlay as the admin API shows it. */
export class OverlayView {
  @ApiProperty({ format: 'uuid' }) readonly id: string;
  @ApiProperty({ format: 'uuid' }) readonly issuer_id: string;
  @ApiProperty() readonly public_id: string;
  @ApiProperty({ enum: DELIVERY_TYPES }) readonly delivery_type: string;
  @ApiProperty() readonly created_at: Date;
  @ApiProperty() readonly updated_at: Date;

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
  @ApiProperty({ type: [OverlayView] }) readonly items!: readonly OverlayView[];
  @ApiProperty({ type: String, nullable: true }) readonly next_cursor!: string | null;
}
