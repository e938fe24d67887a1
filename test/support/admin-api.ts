import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { closeServer, listen } from './http.js';

/** An image in the account. */
export interface AccountAsset {
  readonly public_id: string;
  readonly type: string;
  readonly version: number;
  readonly format: string;
  readonly tags?: readonly string[];
}

/** An error that the server returns instead of a page. */
export interface Refusal {
  readonly status: number;
  readonly message: string;
}

/** The lists of Cloudinary's Admin API on this machine: written from its documentation, not from the SDK. */
export interface AdminApi {
  readonly url: string;
  assets: AccountAsset[];
  /** The paths and queries of the requested lists. */
  readonly lists: string[];
  /** Public ids that were looked up one by one. */
  readonly lookedUp: string[];
  /** Public ids of existing assets that no list contains yet. */
  unlisted: readonly string[];
  /** The maximum number of assets in a page, whatever the request. */
  pageSize: number;
  /** Called before each page: a result that is not null replaces it. */
  refuse: ((cursor: string | null) => Refusal | null) | null;
  /** `X-FeatureRateLimit-*` of the pages. */
  rate: { remaining: number; reset: Date };
  /** The number of searches so far. */
  counted: number;
  /** Whether the search returns a count. */
  counts: boolean;
  /** Makes all earlier cursors invalid. */
  forgetCursors(): void;
  close(): Promise<void>;
}

const PAGE = 500;

export async function startAdminApi(account: {
  readonly cloudName: string;
  readonly apiKey: string;
  readonly apiSecret: string;
}): Promise<AdminApi> {
  const authorization = `Basic ${Buffer.from(`${account.apiKey}:${account.apiSecret}`).toString('base64')}`;
  let generation = 0;
  const server = createServer((request, response) => {
    const refusal = received(request, response);
    if (refusal !== null) send(response, refusal.status, { error: { message: refusal.message } });
  });
  const port = await listen(server);
  const api: AdminApi = {
    url: `http://127.0.0.1:${port}`,
    assets: [],
    lists: [],
    lookedUp: [],
    unlisted: [],
    pageSize: PAGE,
    refuse: null,
    rate: { remaining: 499, reset: new Date() },
    counted: 0,
    counts: true,
    forgetCursors: () => void (generation += 1),
    close: () => closeServer(server),
  };
  return api;

  function received(request: IncomingMessage, response: ServerResponse): Refusal | null {
    const { pathname, searchParams: query } = new URL(request.url ?? '', api.url);
    if (request.headers.authorization !== authorization)
      return { status: 401, message: 'Invalid credentials' };
    // The SDK escapes the slash in the search's path.
    const path = decodeURIComponent(pathname).replace(`/v1_1/${account.cloudName}/`, '');
    if (path === 'resources/search') {
      api.counted += 1;
      if (!api.counts) return { status: 420, message: 'Rate Limit Exceeded' };
      send(response, 200, { total_count: api.assets.length, resources: [] });
      return null;
    }
    const [, type, publicId] = /^resources\/image\/(upload|private|authenticated)\/(.+)$/.exec(path) ?? [];
    if (type !== undefined) {
      api.lookedUp.push(publicId ?? '');
      const asset = api.assets.find((each) => each.type === type && each.public_id === publicId);
      if (asset === undefined && !api.unlisted.includes(publicId ?? ''))
        return { status: 404, message: `Resource not found - ${publicId ?? ''}` };
      send(response, 200, { ...asset, public_id: publicId, resource_type: 'image', bytes: 1 });
      return null;
    }
    const [, place = '', value = ''] = /^resources\/image\/(tags\/)?([\w-]+)$/.exec(path) ?? [];
    if (value === '') return { status: 404, message: 'Not found' };
    api.lists.push(request.url ?? '');
    const cursor = query.get('next_cursor');
    const refusal = api.refuse?.(cursor) ?? null;
    if (refusal !== null) return refusal;
    const [known, offset] = cursor === null ? [String(generation), '0'] : cursor.split('.');
    if (known !== String(generation))
      return { status: 400, message: 'Invalid value for parameter next_cursor' };
    const found = api.assets.filter((asset) =>
      place === ''
        ? asset.type === value && asset.public_id.startsWith(query.get('prefix') ?? '')
        : asset.tags?.includes(value),
    );
    const start = Number(offset);
    const end = start + Math.min(Number(query.get('max_results') ?? 10), api.pageSize);
    response.setHeader('X-FeatureRateLimit-Limit', '500');
    response.setHeader('X-FeatureRateLimit-Remaining', String(api.rate.remaining));
    response.setHeader('X-FeatureRateLimit-Reset', api.rate.reset.toUTCString());
    send(response, 200, {
      resources: found.slice(start, end).map((asset) => ({ ...asset, resource_type: 'image', bytes: 1 })),
      ...(end < found.length ? { next_cursor: `${generation}.${end}` } : {}),
    });
    return null;
  }
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}
