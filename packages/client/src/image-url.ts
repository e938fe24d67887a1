/** The parts of an image's URL. */
export interface ImageUrlParts {
  /** The service's URL, with its path if it has one. */
  readonly baseUrl: string;
  /** The image's id, or any text if the token contains the image's id. */
  readonly imageId: string;
  /** Omit it for a public image. */
  readonly token?: string;
}

/**
 * The URL for an `<img>`: `<baseUrl>/images/<imageId>?token=<token>`.
 * @throws TypeError for a `baseUrl` that is not an absolute URL, or an `imageId` or `token` that is not text or is empty.
 * The message contains no value.
 */
export function imageUrl(parts: ImageUrlParts): string {
  // A caller in JavaScript.
  if ((parts as unknown) === undefined) throw new TypeError('imageUrl: pass { baseUrl, imageId, token }.');
  const origin = readBaseUrl('imageUrl', parts.baseUrl);
  const imageId = requireText(parts.imageId, '`imageId`', 'the image’s id');
  if (!('token' in parts)) return `${origin}/images/${encodeURIComponent(imageId)}`;
  const token = requireText(parts.token, '`token`', 'a token, or omit it for a public image');
  return `${origin}/images/${encodeURIComponent(imageId)}?token=${encodeURIComponent(token)}`;
}

function requireText(value: unknown, name: string, expected: string): string {
  if (typeof value === 'string' && value !== '') return value;
  const state = value === '' ? 'empty' : value == null ? String(value) : 'not text';
  throw new TypeError(`imageUrl: ${name} is ${state}. Pass ${expected}.`);
}

/** Without user info, which in a DSN contains the secret. A regular expression, since not every runtime has `URL`. */
const ABSOLUTE_URL = /^https?:\/\/[^\s/?#@\\]+(?:\/[^\s?#]*)?$/i;

/**
 * Validates a service's URL and removes its trailing slashes.
 * @param caller The function to name in the message.
 * @throws TypeError unless it is an absolute http or https URL without user info, query and fragment.
 */
export function readBaseUrl(caller: string, baseUrl: unknown): string {
  if (typeof baseUrl === 'string' && ABSOLUTE_URL.test(baseUrl)) return baseUrl.replace(/\/+$/, '');
  throw new TypeError(
    `${caller}: \`baseUrl\` must be the absolute URL of the service, such as https://img.example.com.`,
  );
}
