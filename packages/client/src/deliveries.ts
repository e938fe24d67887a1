import { readBaseUrl } from './image-url.js';

/** One image to deliver. */
export interface DeliveryItem {
  /** Optional if the token contains the image's id. */
  readonly imageId?: string;
  /** Optional for a public image. */
  readonly token?: string;
}

/** A problem document (RFC 9457); `code` is stable. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly code: string;
  readonly detail: string;
  /** Further members, such as `step` and `key` of a refused step. */
  readonly [member: string]: unknown;
}

/** An item's URL, or its problem. */
export type Delivery =
  | {
      readonly imageId: string;
      /** The signed URL. */
      readonly url: string;
      /** The `Location` of the redirect, which depends on the delivery mode. */
      readonly location: string;
      readonly problem?: undefined;
    }
  | { readonly imageId: string | null; readonly problem: Problem };

/** The part of `fetch` that is used. */
type Fetch = (
  url: string,
  init: { method: string; headers: Record<string, string>; body: string },
) => Promise<{ readonly status: number; json(): Promise<unknown> }>;

/** The options of `deliveries`. */
export interface Deliver {
  readonly baseUrl: string;
  readonly items: readonly DeliveryItem[];
  /** Default: the runtime's `fetch`. */
  readonly fetch?: Fetch;
}

/** The service refused the whole request, or the response is not the service's. */
export class PixsealError extends Error {
  constructor(
    /** The HTTP status. */
    readonly status: number,
    /** Null if the response is not a problem document. */
    readonly problem: Problem | null,
  ) {
    super(problem === null ? `The response status was ${status}.` : `${problem.code}: ${problem.detail}`);
    this.name = 'PixsealError';
  }
}

/** Items per request, as the service accepts. */
const MAX_ITEMS = 500;

/**
 * Gets the URLs of many images (`POST /deliveries`): a result or a problem per item, in order. More than 500 items are
 * sent in several requests, one after another.
 * @throws TypeError for a `baseUrl` that is not an absolute URL, or `items` that are not an array.
 * @throws PixsealError if a request fails as a whole, or its response does not have a result for each item; what `fetch`
 * throws, also while the response is read.
 */
export async function deliveries({ baseUrl, items, fetch: send = fetch }: Deliver): Promise<Delivery[]> {
  const origin = readBaseUrl('deliveries', baseUrl);
  const list: unknown = items;
  if (!Array.isArray(list)) throw new TypeError('deliveries: `items` must be an array.');
  const delivered: Delivery[] = [];
  for (let from = 0; from < items.length; from += MAX_ITEMS) {
    const some = items.slice(from, from + MAX_ITEMS);
    const response = await send(`${origin}/deliveries`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ deliveries: some.map(({ imageId, token }) => ({ image_id: imageId, token })) }),
    });
    const body: unknown = await response.json().catch((error: unknown) => {
      if (isSyntaxError(error)) return null;
      throw error;
    });
    if (response.status !== 200 || !hasDeliveries(body, some.length)) {
      throw new PixsealError(response.status, isProblem(body) ? body : null);
    }
    delivered.push(
      ...body.deliveries.map(({ image_id: imageId, ...rest }) => ({ imageId, ...rest }) as Delivery),
    );
  }
  return delivered;
}

/** By name: in Jest, `fetch` throws errors of another realm. */
function isSyntaxError(error: unknown): boolean {
  return typeof error === 'object' && error !== null && 'name' in error && error.name === 'SyntaxError';
}

function hasDeliveries(body: unknown, count: number): body is { deliveries: { image_id: string | null }[] } {
  return (
    typeof body === 'object' &&
    body !== null &&
    'deliveries' in body &&
    Array.isArray(body.deliveries) &&
    body.deliveries.length === count
  );
}

function isProblem(body: unknown): body is Problem {
  return typeof body === 'object' && body !== null && 'code' in body && 'detail' in body;
}
