import type { DeliveryType } from './image.js';

/** The columns of an overlay that a redirect needs. */
export interface Overlay {
  readonly id: string;
  readonly publicId: string;
  readonly deliveryType: DeliveryType;
}
