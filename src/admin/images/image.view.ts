import { ApiProperty } from '@nestjs/swagger';
import { IMAGE_ACCESSES } from '../../domain/image.js';
import type { ImageEntity } from '../../platform/database/entities/image.entity.js';
import { AssetView } from '../assets/asset.view.js';
import { PageViewOf } from '../requests/page.view.js';

/** An image in the admin API. */
export class ImageView extends AssetView {
  @ApiProperty({ type: 'integer', description: 'The original’s version in Cloudinary.' })
  readonly version: number;
  @ApiProperty({ type: String, nullable: true, description: 'The original’s format; null if unknown.' })
  readonly format: string | null;
  @ApiProperty({ enum: IMAGE_ACCESSES, description: '`public`: no token is required.' })
  readonly access: string;
  @ApiProperty({
    type: Date,
    nullable: true,
    description: 'Tokens with an older `iat`, or none, are refused; null: no such limit.',
  })
  readonly not_before: Date | null;

  constructor(row: ImageEntity) {
    super(row);
    this.version = row.version;
    this.format = row.format;
    this.access = row.access;
    this.not_before = row.notBefore;
  }
}

export class ImagePageView extends PageViewOf(ImageView) {}
