/** Cloudinary's delivery types; `authenticated` and `private` originals answer to signed URLs alone. */
export const DELIVERY_TYPES = ['upload', 'private', 'authenticated'] as const;
export type DeliveryType = (typeof DELIVERY_TYPES)[number];

/** `token`: with a sealed token only; `public`: also without one, by the base chain. */
export const IMAGE_ACCESSES = ['token', 'public'] as const;
export type ImageAccess = (typeof IMAGE_ACCESSES)[number];

/** Whether an image is there, or was deleted. */
export const IMAGE_STATES = ['live', 'deleted'] as const;
export type ImageState = (typeof IMAGE_STATES)[number];

/** The highest version that is taken: each original that is put in its place has a higher one, within safe integers. */
export const MAX_VERSION = 999_999_999_999_999;

/** What a redirect needs to know of an image. */
export interface Image {
  readonly id: string;
  readonly issuerId: string;
  readonly publicId: string;
  /** Unix seconds in practice; written as `v<version>`. */
  readonly version: number;
  readonly deliveryType: DeliveryType;
  readonly access: ImageAccess;
  /** Tokens with an older `iat`, or none, do not open it; null for no such moment. */
  readonly notBefore: Date | null;
  readonly deleted: boolean;
}
