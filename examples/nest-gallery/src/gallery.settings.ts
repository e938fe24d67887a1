import { readDsn, type Dsn } from '@pixseal/client';

/** The provider's token. */
export const GALLERY_SETTINGS = Symbol('gallery settings');

/** What the gallery shows, and the key that signs it. */
export interface GallerySettings {
  readonly dsn: Dsn;
  readonly imageIds: readonly string[];
}

/** @throws if `PIXSEAL_DSN` is not a DSN, or `IMAGE_IDS` is missing. */
export function readSettings(environment: Readonly<Record<string, string | undefined>>): GallerySettings {
  const imageIds = (environment['IMAGE_IDS'] ?? '').split(',').filter((id) => id !== '');
  if (imageIds.length === 0)
    throw new Error('IMAGE_IDS must contain the ids of images, separated by commas.');
  return { dsn: readDsn(environment['PIXSEAL_DSN'] ?? ''), imageIds };
}
