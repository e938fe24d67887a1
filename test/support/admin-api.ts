import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { closeServer, listen } from './http.js';

/** An image in the account. */
export interface AccountAsset {
  readonly public_id: string;
  readonly type: string;
  readonly version: number;
  readonly format: string;
  readonly tags?: readonly string[];
  /** In accounts with dynamic folders. */
  readonly asset_folder?: string;
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
  /** Whether an asset's folder is a member of it, or the path in its public id. */
  folderMode: 'dynamic' | 'fixed';
  /** The expressions of the searches for pages. */
  readonly searches: string[];
  /** The number of searches for a count so far. */
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
    void received(request, response).then((refusal) => {
      if (refusal !== null) send(response, refusal.status, { error: { message: refusal.message } });
    });
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
    folderMode: 'dynamic',
    searches: [],
    counted: 0,
    counts: true,
    forgetCursors: () => void (generation += 1),
    close: () => closeServer(server),
  };
  return api;

  async function received(request: IncomingMessage, response: ServerResponse): Promise<Refusal | null> {
    const { pathname, searchParams: query } = new URL(request.url ?? '', api.url);
    if (request.headers.authorization !== authorization)
      return { status: 401, message: 'Invalid credentials' };
    // The SDK escapes the slash in the search's path.
    const path = decodeURIComponent(pathname).replace(`/v1_1/${account.cloudName}/`, '');
    if (path === 'config') {
      const settings = query.get('settings') === 'true' ? { folder_mode: api.folderMode } : undefined;
      send(response, 200, { cloud_name: account.cloudName, created_at: '2030-01-01T00:00:00Z', settings });
      return null;
    }
    if (path === 'resources/search') {
      const { expression, max_results: limit, next_cursor: cursor = null } = await readSearch(request);
      const found = api.assets.filter((asset) => matches(asset, expression));
      if (limit === 1) {
        api.counted += 1;
        if (!api.counts) return { status: 420, message: 'Rate Limit Exceeded' };
        send(response, 200, { total_count: found.length, resources: [] });
        return null;
      }
      api.searches.push(expression);
      return sendPage(response, found, cursor, limit);
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
    const found = api.assets.filter((asset) =>
      place === ''
        ? asset.type === value && asset.public_id.startsWith(query.get('prefix') ?? '')
        : asset.tags?.includes(value),
    );
    return sendPage(response, found, query.get('next_cursor'), Number(query.get('max_results') ?? 10));
  }

  /** Evaluates the subset of Cloudinary's search expressions that the import uses. */
  function matches(asset: AccountAsset, expression: string): boolean {
    return expression.split(' AND ').every((term) =>
      term
        .replaceAll(/^\(|\)$/g, '')
        .split(' OR ')
        .some((option) => {
          const [, field = '', pattern = ''] = /^(\w+)[:=](.+)$/.exec(option) ?? [];
          const quoted = pattern.startsWith('"');
          const text = quoted ? (JSON.parse(pattern) as string) : pattern.replaceAll(/\\(.)/g, '$1');
          const isMatch = (value: string): boolean =>
            text.endsWith('*') ? value.startsWith(text.slice(0, -1)) : value === text;
          return valuesOf(asset, field).some(isMatch);
        }),
    );
  }

  /** An unknown field matches nothing. */
  function valuesOf(asset: AccountAsset, field: string): readonly string[] {
    switch (field) {
      case 'resource_type':
        return ['image'];
      case 'type':
        return [asset.type];
      case 'public_id':
        return [asset.public_id];
      case 'tags':
        return asset.tags ?? [];
      case 'asset_folder':
        return api.folderMode === 'dynamic' ? [asset.asset_folder ?? ''] : [];
      case 'folder':
        return api.folderMode === 'fixed' ? [asset.public_id.split('/').slice(0, -1).join('/')] : [];
      default:
        return [];
    }
  }

  function sendPage(
    response: ServerResponse,
    found: readonly AccountAsset[],
    cursor: string | null,
    limit: number,
  ): Refusal | null {
    const refusal = api.refuse?.(cursor) ?? null;
    if (refusal !== null) return refusal;
    const [known, offset] = cursor === null ? [String(generation), '0'] : cursor.split('.');
    if (known !== String(generation))
      return { status: 400, message: 'Invalid value for parameter next_cursor' };
    const start = Number(offset);
    const end = start + Math.min(limit, api.pageSize);
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

interface SearchBody {
  readonly expression: string;
  readonly max_results: number;
  readonly next_cursor?: string;
}

async function readSearch(request: IncomingMessage): Promise<SearchBody> {
  let text = '';
  for await (const chunk of request.setEncoding('utf8')) text += chunk as string;
  return JSON.parse(text) as SearchBody;
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}
