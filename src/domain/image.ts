/** Cloudinary's delivery types; `authenticated` and `private` originals require signed URLs. */
export const DELIVERY_TYPES = ['upload', 'private', 'authenticated'] as const;
export type DeliveryType = (typeof DELIVERY_TYPES)[number];

/** `token`: only with a token; `public`: also without one, under the base chain. */
export const IMAGE_ACCESSES = ['token', 'public'] as const;
export type ImageAccess = (typeof IMAGE_ACCESSES)[number];

/** Whether an image exists or was deleted. */
export const IMAGE_STATES = ['live', 'deleted'] as const;
export type ImageState = (typeof IMAGE_STATES)[number];

/** An issuer's `delivery_format` under which each URL ends in the format of its image's row. */
export const ORIGINAL_FORMAT = 'original';

/** The highest version that is accepted: a replaced original gets a higher one, within safe integers. */
export const MAX_VERSION = 999_999_999_999_999;

/** The columns of an image that a redirect needs. */
export interface Image {
  readonly id: string;
  readonly issuerId: string;
  readonly publicId: string;
  /** Unix seconds in practice; written as `v<version>`. */
  readonly version: number;
  /** Of the original, such as `png`; null if unknown. */
  readonly format: string | null;
  readonly deliveryType: DeliveryType;
  readonly access: ImageAccess;
  /** Tokens with an older `iat`, or without one, are refused; null for no such limit. */
  readonly notBefore: Date | null;
  readonly deleted: boolean;
  /** Whether Cloudinary's moderation rejected it. */
  readonly rejected: boolean;
}
