import { ApiProperty } from '@nestjs/swagger';
import type { ImageEntity } from '../../platform/database/entities/image.entity.js';
import { DELIVERY_TYPES, IMAGE_ACCESSES } from '../../domain/image.js';

/** An image in the admin API. */
export class ImageView {
  @ApiProperty({ format: 'uuid', description: 'The id that tokens refer to.' }) readonly id: string;
  @ApiProperty({ format: 'uuid', description: 'The issuer whose tokens can use it.' })
  readonly issuer_id: string;
  @ApiProperty({ description: 'The public id of the original in Cloudinary.' }) readonly public_id: string;
  @ApiProperty({ type: 'integer', description: 'The original’s version in Cloudinary.' })
  readonly version: number;
  @ApiProperty({
    type: String,
    nullable: true,
    description: 'The original’s format; null if unknown.',
  })
  readonly format: string | null;
  @ApiProperty({ enum: DELIVERY_TYPES, description: 'Cloudinary’s `type` of the original.' })
  readonly delivery_type: string;
  @ApiProperty({ enum: IMAGE_ACCESSES, description: '`public`: no token is required.' })
  readonly access: string;
  @ApiProperty({
    type: Date,
    nullable: true,
    description: 'Tokens with an older `iat`, or none, are refused; null: no such limit.',
  })
  readonly not_before: Date | null;
  @ApiProperty({ description: 'When it was created.' }) readonly created_at: Date;
  @ApiProperty({ description: 'When it was last changed.' }) readonly updated_at: Date;

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
  @ApiProperty({ type: [ImageView], description: 'The rows of this page.' })
  readonly items!: readonly ImageView[];
  @ApiProperty({
    type: String,
    nullable: true,
    description: 'The `cursor` of the next page; null on the last.',
  })
  readonly next_cursor!: string | null;
}
