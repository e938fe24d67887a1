import { Column, Entity } from 'typeorm';
import type { DeliveryType } from '../../../domain/image.js';
import { AssetEntity } from './asset.entity.js';

/** An image used as a layer. */
@Entity({ name: 'overlays' })
export class OverlayEntity extends AssetEntity {
  @Column('varchar', { name: 'delivery_type', length: 13, default: 'private' })
  deliveryType!: DeliveryType;
}
