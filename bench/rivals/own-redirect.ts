import { randomUUID } from 'node:crypto';
import { v2 as cloudinary } from 'cloudinary';
import { DataSource } from 'typeorm';
import { OwnImageEntity, OwnIssuerEntity, OwnOverlayEntity } from './own-rows.entity.js';

/** What both of the user's versions share: the claims, the URL by the SDK, the headers. They do less than Pixseal. */
export interface OwnClaims {
  readonly iss: string;
  readonly transformations: readonly OwnStep[];
}

export interface OwnStep {
  readonly width?: number;
  readonly height?: number;
  readonly crop?: string;
  readonly flags?: string;
  readonly overlay?: string;
}

export async function openRows(): Promise<DataSource> {
  const dataSource = new DataSource({
    type: 'postgres',
    url: process.env['DATABASE_URL'] ?? '',
    entities: [OwnIssuerEntity, OwnImageEntity, OwnOverlayEntity],
  });
  return dataSource.initialize();
}

export function ownUrl(
  image: OwnImageEntity,
  steps: readonly OwnStep[],
  overlays: readonly OwnOverlayEntity[],
): string {
  const chain = steps.map(({ width, height, crop, flags, overlay }) => {
    const row = overlays.find(({ id }) => id === overlay);
    return { width, height, crop, ...(row && { overlay: `private:${row.publicId}`, flags }) };
  });
  return cloudinary.url(image.publicId, {
    transformation: [
      { width: 1920, height: 1920, crop: 'fit' },
      { flags: 'attachment' },
      { raw_transformation: 'dpr_auto,q_auto,f_auto' },
      ...chain,
    ],
    type: 'authenticated',
    version: image.version,
    format: 'jpg',
    sign_url: true,
    secure: true,
    urlAnalytics: false,
  });
}

/** The seed's headers. `startedAt` is of `performance.now()`. */
export function ownHeaders(startedAt: number): Readonly<Record<string, string>> {
  return {
    'Cache-Control': 'no-cache, no-store',
    Pragma: 'no-cache',
    Expires: 'Fri, 01 Jan 1990 00:00:00 GMT',
    'Access-Control-Allow-Origin': '*',
    Vary: 'Accept-Encoding',
    P3P: 'CP="NOI ADM DEV PSAi COM NAV OUR OTRo STP IND DEM"',
    'X-Content-Type-Options': 'nosniff',
    'X-XSS-Protection': '1; mode=block',
    'X-Download-Options': 'noopen',
    'X-Permitted-Cross-Domain-Policies': 'none',
    'Referrer-Policy': 'origin-when-cross-origin, strict-origin-when-cross-origin',
    'Content-Type': 'text/html; charset=utf-8',
    'X-Request-Id': randomUUID(),
    'X-Runtime': ((performance.now() - startedAt) / 1000).toFixed(6),
  };
}

export function ownBody(url: string): string {
  return `<html><body>You are being <a href="${url}">redirected</a>.</body></html>`;
}
