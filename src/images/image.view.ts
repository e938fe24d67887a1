import { ApiProperty } from '@nestjs/swagger';
import type { ImageEntity } from './image.entity.js';
import { DELIVERY_TYPES, IMAGE_ACCESSES } from './image.js';

/** An image as the admin API shows it. */
export class ImageView {
  @ApiProperty({ format: 'uuid' }) readonly id: string;
  @ApiProperty({ format: 'uuid' }) readonly issuer_id: string;
  @ApiProperty() readonly public_id: string;
  @ApiProperty({ type: 'integer' }) readonly version: number;
  @ApiProperty({ type: String, nullable: true }) readonly format: string | null;
  @ApiProperty({ enum: DELIVERY_TYPES }) readonly delivery_type: string;
  @ApiProperty({ enum: IMAGE_ACCESSES }) readonly access: string;
  @ApiProperty({ type: Date, nullable: true }) readonly not_before: Date | null;
  @ApiProperty() readonly created_at: Date;
  @ApiProperty() readonly updated_at: Date;

  constructor(row: ImageEntity) {
    this.id = row.id;
    this.issuer_id = row.issuerId;
    this.public_id = row.publicId;
    this.version = row.version;
    this.format = row.format;
    this.delivery_type = row.deliveryType;
    this.access = row.access;
    this.not_before = row.notBefore;
    this.created_at = row.createdAt;
    this.updated_at = row.updatedAt;
  }
}

export class ImagePageView {
  @ApiProperty({ type: [ImageView] }) readonly items!: readonly ImageView[];
  @ApiProperty({ type: String, nullable: true }) readonly next_cursor!: string | null;
}
