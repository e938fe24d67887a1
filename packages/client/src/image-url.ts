/** The parts of an image's URL. */
export interface ImageUrlParts {
  /** The service's origin; a path behind it is kept. */
  readonly baseUrl: string;
  /** The image's id, or any name where the token names the image. */
  readonly imageId: string;
  /** Leave it out for a public image. */
  readonly token?: string;
}

/**
 * The URL for an `<img>`: `<baseUrl>/images/<imageId>?token=<token>`.
 * @throws TypeError for a `baseUrl` that is not an absolute URL, and for an `imageId` or `token` that is undefined, null
 * or empty. The message does not repeat a value.
 */
export function imageUrl(parts: ImageUrlParts): string {
  const origin = readBaseUrl('imageUrl', parts.baseUrl);
  const imageId = requireText(parts.imageId, '`imageId`', 'the image’s id');
  if (!('token' in parts)) return `${origin}/images/${encodeURIComponent(imageId)}`;
  const token = requireText(parts.token, '`token`', 'a token, or leave it out for a public image');
  return `${origin}/images/${encodeURIComponent(imageId)}?token=${encodeURIComponent(token)}`;
}

function requireText(value: unknown, name: string, expected: string): string {
  if (typeof value === 'string' && value !== '') return value;
  const state = value === '' ? 'empty' : value == null ? String(value) : 'not text';
  throw new TypeError(`imageUrl: ${name} is ${state}. Pass ${expected}.`);
}

/** Without user info, which is where a dsn has its secret. By hand, since not every runtime has `URL`. */
const ABSOLUTE_URL = /^https?:\/\/[^\s/?#@\\]+(?:\/[^\s?#]*)?$/i;

/**
 * A service's origin and path, without slashes at its end.
 * @param caller The function that the message names.
 * @throws TypeError for what is not an absolute http or https URL, or has user info, a query or a fragment.
 */
export function readBaseUrl(caller: string, baseUrl: unknown): string {
  if (typeof baseUrl === 'string' && ABSOLUTE_URL.test(baseUrl)) return baseUrl.replace(/\/+$/, '');
  throw new TypeError(
    `${caller}: \`baseUrl\` must be the absolute URL of the service, such as https://img.example.com.`,
  );
}
