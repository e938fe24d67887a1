/** What an image's URL is made of. */
export interface ImageUrlParts {
  /** The service's origin; a path behind it is kept. */
  readonly baseUrl: string;
  /** The image's id, or any name where the token names the image. */
  readonly imageId: string;
  /** Absent for a public image. */
  readonly token?: string;
}

/** The URL for an `<img>`: `<baseUrl>/images/<imageId>?token=<token>`. */
export function imageUrl({ baseUrl, imageId, token }: ImageUrlParts): string {
  const query = token === undefined ? '' : `?token=${encodeURIComponent(token)}`;
  return `${trimSlashes(baseUrl)}/images/${encodeURIComponent(imageId)}${query}`;
}

/** A base URL without slashes at its end. */
export function trimSlashes(baseUrl: string): string {
  return baseUrl.replace(/\/+$/, '');
}
