import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import type { CloudinaryAccount } from '../platform/config/environment.js';
import type { DeliveryType } from '../domain/image.js';
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

/** Lists the account's images with the SDK's Admin API. */
export class AccountAssets {
  constructor(private readonly account: CloudinaryAccount) {}

  /** @throws AssetListError */
  async listPage({ type, prefix, tag }: AssetQuery, cursor: string | null): Promise<AssetPage> {
    const options = {
      resource_type: 'image',
      max_results: PAGE,
      ...(cursor === null ? {} : { next_cursor: cursor }),
    };
    // The list by tag supports neither type nor prefix.
    const response = await this.request((account) =>
      tag === undefined
        ? sdk().api.resources({
            ...options,
            ...account,
            type,
            ...(prefix === undefined ? {} : { prefix }),
          })
        : sdk().api.resources_by_tag(tag, { ...options, ...account }),
    );
    const { resources, next_cursor: next, rate_limit_remaining: left, rate_limit_reset_at: reset } = response;
    if (!Array.isArray(resources))
      throw new AssetListError('refused', 'The response is not a list of images.');
    const assets = (resources as readonly Members[])
      .filter((asset) => asset['type'] === type && String(asset['public_id']).startsWith(prefix ?? ''))
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
  async count({ type, prefix, tag }: AssetQuery): Promise<number | null> {
    const terms = [
      'resource_type:image',
      `type:${type}`,
      ...(prefix === undefined ? [] : [`public_id:${prefix.replaceAll(/[^\w/-]/g, '\\$&')}*`]),
      ...(tag === undefined ? [] : [`tags=${JSON.stringify(tag)}`]),
    ];
    try {
      const search = sdk().search.expression(terms.join(' AND ')).max_results(1);
      // The SDK's types omit the options, which it accepts as in every other call.
      const execute = search.execute.bind(search) as (account: object) => Promise<unknown>;
      const response = await this.request(execute);
      const { total_count: total } = response;
      return typeof total === 'number' ? total : null;
    } catch {
      return null;
    }
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
