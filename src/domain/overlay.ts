import type { DeliveryType } from './image.js';

/** What a redirect needs to know of an overlay. */
export interface Overlay {
  readonly id: string;
  readonly publicId: string;
  readonly deliveryType: DeliveryType;
}
