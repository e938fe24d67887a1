/** Where a `Location` points. */
export const DELIVERY_MODES = ['cloudinary', 'blank', 'local'] as const;
export type DeliveryMode = (typeof DELIVERY_MODES)[number];
