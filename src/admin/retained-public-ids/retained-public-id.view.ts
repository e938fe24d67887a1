import { ApiProperty } from '@nestjs/swagger';
import { DELIVERY_TYPES, type DeliveryType } from '../../domain/image.js';
import type { RetainedPublicIdEntity } from '../../platform/database/entities/retained-public-id.entity.js';
import { PageViewOf } from '../requests/page.view.js';

/** A retained public id in the admin API. */
export class RetainedPublicIdView {
  @ApiProperty({ format: 'uuid', description: 'A UUID.' }) readonly id: string;
  @ApiProperty({ format: 'uuid', description: 'The only issuer that can register it.' })
  readonly issuer_id: string;
  @ApiProperty({ description: 'The public id in Cloudinary.' }) readonly public_id: string;
  @ApiProperty({ enum: [...DELIVERY_TYPES], description: 'Cloudinary’s type of the asset.' })
  readonly delivery_type: DeliveryType;
  @ApiProperty({ description: 'When its last row was deleted or renamed.' }) readonly retained_at: Date;

  constructor(row: RetainedPublicIdEntity) {
    this.id = row.id;
    this.issuer_id = row.issuerId;
    this.public_id = row.publicId;
    this.delivery_type = row.deliveryType;
    this.retained_at = row.retainedAt;
  }
}

export class RetainedPublicIdPageView extends PageViewOf(RetainedPublicIdView) {}
