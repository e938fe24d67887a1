import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { OriginalName } from '../originals/originals.store.js';
import type { ChangeListener, RowChange } from '../platform/database/change-feed.js';
import { findAssets } from './chain/chain.parser.js';
import type { DeliveryPath } from './delivery-path.js';
import { negotiate } from './image/encode.js';
import type { StoredOriginal } from './original-rows.js';
import { originalKey } from './render-task.js';

/** The identity of a delivered image. */
export interface DeliveryKey {
  /** Hexadecimal; the same for the same image. */
  readonly key: string;
  /** Whether it depends on the client's Accept. */
  readonly varyByAccept: boolean;
  /** Every original of the image and its layers, by `originalKey`; null for one that does not exist. */
  readonly originals: ReadonlyMap<string, StoredOriginal | null>;
}

/** What a key depends on. */
export interface DeliveryKeyRequest {
  /** Of `accountIdOf`. */
  readonly accountId: string;
  /** As received, with the version. */
  readonly path: string;
  readonly delivery: DeliveryPath;
  readonly accept: string | undefined;
}

const MAX_ENTRIES = 50_000;
/** Milliseconds: an upper bound beside the change feed. */
const LIFETIME = 60_000;
/** Characters of an Accept header that are cached; a longer one costs queries. */
const LONGEST_ACCEPT = 500;

/**
 * Keys by the content of all originals in an image: a new original gives a new key, whatever its version. Keys and
 * originals' rows are cached while the change feed is live, until an image or overlay changes: each write of an original
 * also writes one of these rows. Another version in the path is another entry, so a new version is never served from
 * older rows.
 */
export class DeliveryKeys implements ChangeListener {
  private readonly keys = new LRUCache<string, DeliveryKey>({ max: MAX_ENTRIES, ttl: LIFETIME });
  /** One original is delivered in many sizes. */
  private readonly rows = new LRUCache<string, { readonly row: StoredOriginal | null }>({
    max: MAX_ENTRIES,
    ttl: LIFETIME,
  });
  /** Counts invalidations: what was read before one is not cached after it. */
  private generation = 0;
  private isLive = false;

  constructor(
    private readonly originals: {
      findRow(name: OriginalName): Promise<StoredOriginal | null>;
    },
    /** Changes when the renderer does. */
    private readonly edition: string,
  ) {}

  rowChanged({ table }: RowChange): void {
    if (table === 'images' || table === 'overlays') this.invalidate();
  }

  onConnectionChange(live: boolean): void {
    this.isLive = live;
    this.invalidate();
  }

  /** @throws {RenderError} 400 for an invalid chain. */
  async get(request: DeliveryKeyRequest): Promise<DeliveryKey> {
    const { accountId, path, accept = '' } = request;
    const isCacheable = this.isLive && accept.length <= LONGEST_ACCEPT;
    const entry = `${accountId}\n${path}\n${accept}`;
    const cached = isCacheable ? this.keys.get(entry) : undefined;
    if (cached) return cached;
    const { generation } = this;
    const found = await this.compute(request);
    if (isCacheable && generation === this.generation) this.keys.set(entry, found);
    return found;
  }

  private invalidate(): void {
    this.generation += 1;
    this.keys.clear();
    this.rows.clear();
  }

  private async compute({ accountId, delivery, accept }: DeliveryKeyRequest): Promise<DeliveryKey> {
    const { chain, format, version, publicId, deliveryType } = delivery;
    const assets = [{ deliveryType, publicId }, ...findAssets(chain)];
    const rows = await Promise.all(assets.map((asset) => this.findRow({ ...asset, accountId }, version)));
    const contents = rows.map((row) => row?.sha256 ?? null);
    const filename = rows[0]?.originalFilename ?? null;
    const originals = new Map(assets.map((asset, index) => [originalKey(asset), rows[index] ?? null]));
    const accepted = negotiate(chain, accept);
    const key = createHash('sha256')
      .update(JSON.stringify([this.edition, chain, format, publicId, filename, contents, accepted]))
      .digest('hex');
    return { key, varyByAccept: accepted !== null, originals };
  }

  private async findRow(name: OriginalName, version: string): Promise<StoredOriginal | null> {
    const entry = JSON.stringify([name.accountId, version, name.deliveryType, name.publicId]);
    const cached = this.isLive ? this.rows.get(entry) : undefined;
    if (cached) return cached.row;
    const { generation } = this;
    const row = await this.originals.findRow(name);
    if (this.isLive && generation === this.generation) this.rows.set(entry, { row });
    return row;
  }
}
