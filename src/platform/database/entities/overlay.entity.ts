import { Column, Entity } from 'typeorm';
import type { DeliveryType } from '../../../domain/image.js';
import { AssetEntity } from './asset.entity.js';

/** An image used as a layer, or the font file of a text. */
@Entity({ name: 'overlays' })
export class OverlayEntity extends AssetEntity {
  @Column('varchar', { name: 'delivery_type', length: 13, default: 'private' })
  deliveryType!: DeliveryType;

  /** Whether policies of other issuers of its account may use it. */
  @Column('boolean', { default: false })
  shared!: boolean;
}
