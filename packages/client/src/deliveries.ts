import { readBaseUrl } from './image-url.js';

/** One picture that is asked for. */
export interface DeliveryItem {
  /** May be absent where the token names the image. */
  readonly imageId?: string;
  /** May be absent for a public image. */
  readonly token?: string;
}

/** A refusal as the service words it (RFC 9457); `code` is stable. */
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
      /** Where the redirect would point, by the delivery mode. */
      readonly location: string;
      readonly problem?: undefined;
    }
  | { readonly imageId: string | null; readonly problem: Problem };

/** As much of `fetch` as is used. */
type Fetch = (
  url: string,
  init: { method: string; headers: Record<string, string>; body: string },
) => Promise<{ readonly status: number; json(): Promise<unknown> }>;

/** What to ask for, and whom. */
export interface Deliver {
  readonly baseUrl: string;
  readonly items: readonly DeliveryItem[];
  /** Instead of the runtime's own. */
  readonly fetch?: Fetch;
}

/** The service refused a request as a whole, or what answered was not the service. */
export class PixsealError extends Error {
  constructor(
    /** Of the HTTP answer. */
    readonly status: number,
    /** Null where the answer was no problem document. */
    readonly problem: Problem | null,
  ) {
    super(problem === null ? `The answer was ${status}.` : `${problem.code}: ${problem.detail}`);
    this.name = 'PixsealError';
  }
}

/** Items that the service takes at once. */
const MAX_ITEMS = 500;

/**
 * The URLs of many pictures (`POST /deliveries`), each item its own result or problem, in order. More than 500 are
 * asked for in several requests, one after another.
 * @throws TypeError for a `baseUrl` that is not an absolute URL, and for `items` that are not an array.
 * @throws PixsealError where a request fails as a whole, or is answered with anything but a result for each item;
 * whatever `fetch` throws, also while the answer is read.
 */
export async function deliveries({ baseUrl, items, fetch: ask = fetch }: Deliver): Promise<Delivery[]> {
  const origin = readBaseUrl('deliveries', baseUrl);
  const list: unknown = items;
  if (!Array.isArray(list)) throw new TypeError('deliveries: `items` must be an array.');
  const delivered: Delivery[] = [];
  for (let from = 0; from < items.length; from += MAX_ITEMS) {
    const some = items.slice(from, from + MAX_ITEMS);
    const response = await ask(`${origin}/deliveries`, {
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

/** By its name: in Jest, `fetch` throws those of another realm. */
function isSyntaxError(error: unknown): boolean {
  return typeof error === 'object' && error !== null && 'name' in error && error.name === 'SyntaxError';
}

function hasDeliveries(body: unknown, asked: number): body is { deliveries: { image_id: string | null }[] } {
  return (
    typeof body === 'object' &&
    body !== null &&
    'deliveries' in body &&
    Array.isArray(body.deliveries) &&
    body.deliveries.length === asked
  );
}

function isProblem(body: unknown): body is Problem {
  return typeof body === 'object' && body !== null && 'code' in body && 'detail' in body;
}
