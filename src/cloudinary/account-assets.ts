import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import type { CloudinaryAccount } from '../platform/config/environment.js';
import type { DeliveryType } from '../domain/image.js';
import { isObject } from '../domain/is-object.js';
import { withDeadline } from '../platform/deadline.js';
import { sdk } from './sdk.js';

/** Assets per page: the Admin API's maximum. */
const PAGE = 500;
const MAX_MESSAGE_LENGTH = 300;

/** Selects images of the account. */
export interface AssetQuery {
  readonly type: DeliveryType;
  /** A prefix of the public id. */
  readonly prefix?: string;
  readonly tag?: string;
  /** A folder, with everything below it; without slashes at its ends. */
  readonly folder?: string;
}

/** An image as listed by the Admin API. */
export interface ListedAsset {
  readonly publicId: string;
  readonly version: number;
  readonly format: string | null;
}

export interface AssetPage {
  readonly assets: readonly ListedAsset[];
  readonly nextCursor: string | null;
  /** When the account's exhausted rate limit resets; null if it is not exhausted. */
  readonly rateResetsAt: Date | null;
}

/** The Admin API returned no page. */
export class AssetListError extends Error {
  /**
   * @param kind `rate`: too many requests; `cursor`: expired or unknown cursor; `fault`: can be retried; `absent`: no
   *   such asset; `refused`: another refusal.
   * @param retryAt When to retry, if Cloudinary reports it; else null.
   */
  constructor(
    readonly kind: 'rate' | 'cursor' | 'fault' | 'absent' | 'refused',
    message: string,
    readonly retryAt: Date | null = null,
  ) {
    super(message);
    this.name = 'AssetListError';
  }
}

/** `dynamic`: a folder is a member of the asset; `fixed`: it is the path in its public id. */
type FolderMode = 'dynamic' | 'fixed';

/** Lists the account's images with the SDK's Admin API. */
export class AccountAssets {
  private folderMode: FolderMode | null = null;

  constructor(private readonly account: CloudinaryAccount) {}

  /** @throws AssetListError */
  async listPage(query: AssetQuery, cursor: string | null): Promise<AssetPage> {
    const { type, prefix, folder } = query;
    // Only the search knows folders.
    const response = await (folder === undefined ? this.list(query, cursor) : this.search(query, cursor));
    const mode = folder === undefined ? null : await this.findFolderMode();
    const { resources, next_cursor: next, rate_limit_remaining: left, rate_limit_reset_at: reset } = response;
    if (!Array.isArray(resources))
      throw new AssetListError('refused', 'The response is not a list of images.');
    const assets = (resources as readonly Members[])
      .filter((asset) => asset['type'] === type && String(asset['public_id']).startsWith(prefix ?? ''))
      // The index may be behind, and its expressions match more loosely than a path is compared.
      .filter((asset) => folder === undefined || isWithin(folderOf(asset, mode), folder))
      .map(readAsset);
    return {
      assets,
      nextCursor: typeof next === 'string' ? next : null,
      rateResetsAt: left === 0 && reset instanceof Date && !Number.isNaN(reset.getTime()) ? reset : null,
    };
  }

  /** Whether the account has an image of this type and public id. @throws AssetListError */
  async exists(type: DeliveryType, publicId: string): Promise<boolean> {
    try {
      await this.request((account) =>
        sdk().api.resource(publicId, { ...account, resource_type: 'image', type }),
      );
      return true;
    } catch (error) {
      if (error instanceof AssetListError && error.kind === 'absent') return false;
      throw error;
    }
  }

  /** The number of images by the account's search, for a progress bar; null if Cloudinary does not return it. */
  async count(query: AssetQuery): Promise<number | null> {
    try {
      const { total_count: total } = await this.search(query, null, 1);
      return typeof total === 'number' ? total : null;
    } catch {
      return null;
    }
  }

  private list({ type, prefix, tag }: AssetQuery, cursor: string | null): Promise<Members> {
    const options = {
      resource_type: 'image',
      max_results: PAGE,
      ...(cursor === null ? {} : { next_cursor: cursor }),
    };
    // The list by tag supports neither type nor prefix.
    return this.request((account) =>
      tag === undefined
        ? sdk().api.resources({
            ...options,
            ...account,
            type,
            ...(prefix === undefined ? {} : { prefix }),
          })
        : sdk().api.resources_by_tag(tag, { ...options, ...account }),
    );
  }

  private async search(query: AssetQuery, cursor: string | null, maxResults = PAGE): Promise<Members> {
    const mode = query.folder === undefined ? null : await this.findFolderMode();
    const search = sdk()
      .search.expression(expressionOf(query, mode))
      // Pages of a stable order: new images of other names move none of them.
      .sort_by('public_id', 'asc')
      .max_results(maxResults);
    if (cursor !== null) search.next_cursor(cursor);
    // The SDK's types omit the options, which it accepts as in every other call.
    return this.request(search.execute.bind(search) as (account: object) => Promise<unknown>);
  }

  private async findFolderMode(): Promise<FolderMode> {
    if (this.folderMode !== null) return this.folderMode;
    const { settings } = await this.request((account) => sdk().api.config({ ...account, settings: true }));
    const mode = isObject(settings) ? settings['folder_mode'] : undefined;
    if (mode !== 'dynamic' && mode !== 'fixed')
      throw new AssetListError('refused', 'Cloudinary does not report the account’s folder mode.');
    return (this.folderMode = mode);
  }

  private async request(request: (account: object) => Promise<unknown>): Promise<Members> {
    const { cloudName, apiKey, apiSecret, uploadPrefix, uploadTimeout } = this.account;
    // As for uploads: the SDK chooses its protocol when it is loaded; an agent of the prefix's protocol overrides that.
    const agent = uploadPrefix.startsWith('http:') ? new HttpAgent() : new HttpsAgent();
    const account = {
      cloud_name: cloudName,
      api_key: apiKey,
      api_secret: apiSecret,
      upload_prefix: uploadPrefix,
      timeout: uploadTimeout,
      agent,
    };
    try {
      // The SDK's own timeout applies to silence only, and does not abort the request.
      return (await withDeadline(request(account), uploadTimeout, () => {
        throw new AssetListError('fault', 'Cloudinary did not respond in time.');
      })) as Members;
    } catch (error) {
      throw error instanceof AssetListError ? error : describeFailure(error);
    } finally {
      agent.destroy();
    }
  }
}

type Members = Readonly<Record<string, unknown>>;

/** Source: Cloudinary, "Search expressions". */
function expressionOf({ type, prefix, tag, folder }: AssetQuery, mode: FolderMode | null): string {
  const field = mode === 'dynamic' ? 'asset_folder' : 'folder';
  const terms = [
    'resource_type:image',
    `type:${type}`,
    ...(prefix === undefined ? [] : [`public_id:${prefix.replaceAll(/[^\w/-]/g, '\\$&')}*`]),
    ...(tag === undefined ? [] : [`tags=${JSON.stringify(tag)}`]),
    ...(folder === undefined
      ? []
      : [`(${field}=${JSON.stringify(folder)} OR ${field}=${JSON.stringify(`${folder}/*`)})`]),
  ];
  return terms.join(' AND ');
}

function folderOf({ public_id: publicId, asset_folder: folder }: Members, mode: FolderMode | null): string {
  if (mode === 'dynamic') return typeof folder === 'string' ? folder : '';
  return String(publicId).split('/').slice(0, -1).join('/');
}

function isWithin(path: string, folder: string): boolean {
  return path === folder || path.startsWith(`${folder}/`);
}

function readAsset({ public_id: publicId, version, format }: Members): ListedAsset {
  return {
    publicId: String(publicId),
    version: Number(version),
    format: typeof format === 'string' && /^[a-z0-9]{1,10}$/.test(format) ? format : null,
  };
}

/** Reads only status and message of the SDK's error: its request contains the API secret. */
function describeFailure(thrown: unknown): AssetListError {
  const outer = thrown as { error?: unknown; http_code?: unknown; message?: unknown };
  const error = (outer.error ?? outer) as { http_code?: unknown; message?: unknown };
  const message = (typeof error.message === 'string' ? error.message : 'no reason')
    .replaceAll(/\p{C}+/gu, ' ')
    .slice(0, MAX_MESSAGE_LENGTH);
  const status = Number(error.http_code ?? 0);
  if (status === 420 || status === 429) return new AssetListError('rate', message, readRetry(message));
  if (status === 400 && /cursor/i.test(message)) return new AssetListError('cursor', message);
  if (status === 404) return new AssetListError('absent', `${status}: ${message}`);
  if (status === 0 || status === 408 || status >= 500) return new AssetListError('fault', message);
  return new AssetListError('refused', `${status}: ${message}`);
}

/** "… Try again on 2030-01-31 12:00:00 UTC": the SDK does not expose the headers of a refusal. */
function readRetry(message: string): Date | null {
  const [, day = '', time = ''] = /(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)/.exec(message) ?? [];
  const at = new Date(`${day}T${time}Z`);
  return Number.isNaN(at.getTime()) ? null : at;
}
