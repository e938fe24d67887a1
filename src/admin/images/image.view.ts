import { ApiProperty } from '@nestjs/swagger';
import type { ImageEntity } from '../../platform/database/entities/image.entity.js';
import { DELIVERY_TYPES, IMAGE_ACCESSES } from '../../domain/image.js';

/** An image as the admin API shows it. */
export class ImageView {
  @ApiProperty({ format: 'uuid', description: 'A UUID.' }) readonly id: string;
  @ApiProperty({ format: 'uuid', description: 'Whose tokens open it.' }) readonly issuer_id: string;
  @ApiProperty({ description: 'Of the original in Cloudinary.' }) readonly public_id: string;
  @ApiProperty({ type: 'integer', description: 'Of the original in Cloudinary.' }) readonly version: number;
  @ApiProperty({
    type: String,
    nullable: true,
    description: 'Of the original, for the record; null: not known.',
  })
  readonly format: string | null;
  @ApiProperty({ enum: DELIVERY_TYPES, description: 'Cloudinary’s `type` of the original.' })
  readonly delivery_type: string;
  @ApiProperty({ enum: IMAGE_ACCESSES, description: '`public`: seen without a token too.' })
  readonly access: string;
  @ApiProperty({
    type: Date,
    nullable: true,
    description: 'Tokens with an older `iat`, or none, do not open it; null: whatever their `iat`.',
  })
  readonly not_before: Date | null;
  @ApiProperty({ description: 'When it was made.' }) readonly created_at: Date;
  @ApiProperty({ description: 'When it was changed last.' }) readonly updated_at: Date;

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
  @ApiProperty({ type: String, nullable: true, description: 'Where the next page starts; null on the last.' })
  readonly next_cursor!: string | null;
}
