/**
 * How a delivery URL is signed: SHA-1 or SHA-256 cut to 8 characters, or SHA-256 cut to 32 (`long`).
 * Source: Cloudinary, "Delivery URL signatures".
 */
export const URL_SIGNATURES = ['sha1', 'sha256', 'long'] as const;
export type UrlSignature = (typeof URL_SIGNATURES)[number];
