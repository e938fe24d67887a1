import { createSecretKey } from 'node:crypto';
import { Inject, Injectable, Logger } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { type EntityManager, In } from 'typeorm';
import { ENVIRONMENT } from '../platform/config/config.module.js';
import type { Environment } from '../platform/config/environment.js';
import { DatabaseUnavailableError } from '../domain/database.errors.js';
import { ChangeFeed, type ChangeListener, type RowChange } from '../platform/database/change-feed.js';
import { ImageEntity } from '../platform/database/entities/image.entity.js';
import type { Image } from '../domain/image.js';
import { IssuerKeyEntity } from '../platform/database/entities/issuer-key.entity.js';
import { IssuerEntity } from '../platform/database/entities/issuer.entity.js';
import type { Issuer } from './issuer.js';
import type { LockedKey, SigningKey } from '../tokens/signing-key.js';
import { issuerKeyAad } from './issuer-key-aad.js';
import { OverlayEntity } from '../platform/database/entities/overlay.entity.js';
import type { Overlay } from '../domain/overlay.js';
import { readStoredPolicy } from '../policy/compile-policy.js';
import type { Policy } from '../policy/policy.js';
import { RevocationEntity } from '../platform/database/entities/revocation.entity.js';
import type { RevocationKind, TokenNames } from '../domain/revocation.js';
import { SecretBox, SecretBoxError } from '../platform/secrets/secret-box.js';
import { BatchLoader } from './batch-loader.js';
import { DatabaseLookups } from './database-lookups.service.js';
import { type CachedRow, RecordCache, type CacheRules, type FeedSession } from './record-cache.js';

const MAX_ISSUERS = 10_000;
const MAX_IMAGES = 50_000;
/** A separate cache, so that probes for unknown ids without a token cannot evict images. */
const MAX_PUBLIC_IMAGES = 50_000;
const MAX_OVERLAYS = 10_000;

/**
 * For look-ups without a token, which any client can cause: they leave eight of the pool's ten connections to tokens.
 */
const PUBLIC_BOUNDS = { queries: 2, size: 500, waiting: 2_000 };

/** The only key of the cache of issuers' ids. */
const ALL = 'all';

/** Names of revoked tokens and sessions, of all issuers. */
const MAX_REVOKED = 500_000;
/** Revocations of an issuer that are cached as a list; if there are more, each token is looked up. */
const MAX_REVOKED_PER_ISSUER = 10_000;
/** Cached verdicts of an issuer with more revocations; their weight is the same. */
const MAX_VERDICTS = 10_000;

/** Milliseconds: upper bounds beside the change feed, and lifetimes while it is disconnected. */
const LIVE = { found: 60_000, missing: 5_000 };
const FEED_LOST = { found: 1_000, missing: 1_000 };

/** An issuer's revocations: all names or, if there are too many, verdicts by name. */
export type Revocations =
  | { readonly names: ReadonlySet<string> }
  | { readonly names: null; readonly verdicts: LRUCache<string, { readonly revoked: boolean }> };

/** The ids of all issuers; null if there are too many to cache. */
interface IssuerIds {
  readonly ids: ReadonlySet<string> | null;
}

/** Returned for an id that is not an issuer's; it is not a cached row. */
const NO_SUCH_ISSUER: CachedRow<Issuer> = { row: null, isFresh: false };

/**
 * The database's rows in memory. `cached…` does no I/O; if it returns undefined, call `load…`. Each look-up is within
 * one issuer: a row of another issuer does not exist.
 */
@Injectable()
export class DirectoryService implements ChangeListener {
  private readonly logger = new Logger(DirectoryService.name);
  private session: FeedSession | null = null;
  private readonly issuers: RecordCache<Issuer>;
  private readonly issuerIds: RecordCache<IssuerIds>;
  private readonly images: RecordCache<Image>;
  private readonly publicImages: RecordCache<Image>;
  private readonly publicLoader: BatchLoader<Image>;
  private readonly overlays: RecordCache<Overlay>;
  private readonly revocations: RecordCache<Revocations>;

  constructor(
    private readonly lookups: DatabaseLookups,
    private readonly secretBox: SecretBox,
    changeFeed: ChangeFeed,
    @Inject(ENVIRONMENT) { maxStale }: Pick<Environment, 'maxStale'>,
  ) {
    const rules: CacheRules = {
      connected: LIVE,
      disconnected: FEED_LOST,
      stale: maxStale,
      session: () => this.session,
      isDown: () => this.lookups.isDown,
    };
    this.issuers = new RecordCache(MAX_ISSUERS, rules);
    // An unknown id is an absence: it has the lifetime of one and is never served stale.
    const live = { found: LIVE.missing, missing: LIVE.missing };
    this.issuerIds = new RecordCache(1, { ...rules, connected: live, stale: 0 });
    this.images = new RecordCache(MAX_IMAGES, rules);
    this.publicImages = new RecordCache(MAX_PUBLIC_IMAGES, rules);
    this.publicLoader = new BatchLoader(
      (ids) => this.lookups.run('public images', (rows) => readPublicImages(rows, ids)),
      PUBLIC_BOUNDS,
    );
    this.overlays = new RecordCache(MAX_OVERLAYS, rules);
    this.revocations = new RecordCache(MAX_REVOKED, rules, weigh);
    changeFeed.subscribe(this);
  }

  /** The caches by name, for the metrics. */
  caches(): readonly (readonly [name: string, cache: Pick<RecordCache<object>, 'counts' | 'entryCount'>])[] {
    const { issuers, images, publicImages, overlays, revocations } = this;
    return Object.entries({ issuers, images, public_images: publicImages, overlays, revocations });
  }

  /** An issuer with its keys. */
  cachedIssuer(id: string): CachedRow<Issuer> | undefined {
    const cached = this.issuers.find(id);
    if (cached !== undefined) return cached;
    // Each forged token may name another issuer: this neither queries the database nor evicts an issuer.
    return this.issuerIds.find(ALL)?.row?.ids?.has(id) === false ? NO_SUCH_ISSUER : undefined;
  }

  /** @returns null for an issuer that does not exist. @throws DatabaseUnavailableError (503) */
  loadIssuer(id: string): Promise<Issuer | null> {
    return this.issuers.load(id, async () => {
      const issuer = await this.lookups.run('issuer', (rows) => this.readIssuer(rows, id));
      if (issuer === null) await this.loadIssuerIds();
      return issuer;
    });
  }

  /** From memory if possible, else loaded. @throws DatabaseUnavailableError (503) */
  async findIssuer(id: string): Promise<Issuer | null> {
    const cached = this.cachedIssuer(id);
    return cached === undefined ? this.loadIssuer(id) : cached.row;
  }

  /** An image of this issuer, including deleted ones. */
  cachedImage(issuerId: string, id: string): CachedRow<Image> | undefined {
    return this.images.find(`${issuerId}/${id}`);
  }

  /** @throws DatabaseUnavailableError (503) */
  loadImage(issuerId: string, id: string): Promise<Image | null> {
    return this.images.load(`${issuerId}/${id}`, () =>
      this.lookups.run('image', (rows) => readImage(rows, issuerId, id)),
    );
  }

  /** An image of any issuer that may be shown without a token. */
  cachedPublicImage(id: string): CachedRow<Image> | undefined {
    return this.publicImages.find(id);
  }

  /** @throws DatabaseUnavailableError (503) */
  loadPublicImage(id: string): Promise<Image | null> {
    return this.publicImages.load(id, () => this.publicLoader.load(id));
  }

  /** An overlay of this issuer. */
  cachedOverlay(issuerId: string, id: string): CachedRow<Overlay> | undefined {
    return this.overlays.find(`${issuerId}/${id}`);
  }

  /** @throws DatabaseUnavailableError (503) */
  loadOverlay(issuerId: string, id: string): Promise<Overlay | null> {
    return this.overlays.load(`${issuerId}/${id}`, () =>
      this.lookups.run('overlay', (rows) => readOverlay(rows, issuerId, id)),
    );
  }

  /** The revocations of this issuer's tokens, for `verdictOf`. */
  cachedRevocations(issuerId: string): CachedRow<Revocations> | undefined {
    return this.revocations.find(issuerId);
  }

  /** Whether one of the names is revoked. @throws DatabaseUnavailableError (503) */
  async loadIsRevoked(issuerId: string, names: TokenNames): Promise<boolean> {
    const revocations =
      this.cachedRevocations(issuerId)?.row ??
      (await this.revocations.load(issuerId, () =>
        this.lookups.run('revocations', (rows) => readRevocations(rows, issuerId)),
      ));
    if (revocations === null) return false;
    const known = verdictOf(revocations, names);
    if (known !== undefined || revocations.names !== null) return known === true;
    const { verdicts } = revocations;
    const unknown = namesOf(names).filter((name) => !verdicts.has(name));
    const revoked = await this.lookups.run('revocations', (rows) => readRevoked(rows, issuerId, unknown));
    // If revocations change in the meantime, these verdicts are invalidated with them.
    for (const name of unknown) verdicts.set(name, { revoked: revoked.has(name) });
    return verdictOf(revocations, names) === true;
  }

  /** Invalidates a row: called by the change feed, and by writers so that they read their own writes. */
  rowChanged({ table, id, issuer_id: issuerId }: RowChange): void {
    switch (table) {
      case 'issuers':
        this.issuerIds.invalidate(ALL);
        this.issuers.invalidate(issuerId);
        return;
      case 'issuer_keys':
        this.issuers.invalidate(issuerId);
        return;
      case 'images':
        this.publicImages.invalidate(id);
        this.images.invalidate(`${issuerId}/${id}`);
        return;
      case 'overlays':
        this.overlays.invalidate(`${issuerId}/${id}`);
        return;
      case 'revocations':
        this.revocations.invalidate(issuerId);
    }
  }

  /** Rows loaded in a previous session must be reloaded: changes may have been missed. */
  onConnectionChange(live: boolean): void {
    if (this.session !== null) this.session.connected = false;
    this.session = live ? { connected: live, receivedAt: performance.now() } : null;
    if (!live) this.lookups.dropIdle();
  }

  onHeartbeat(at: number): void {
    if (this.session !== null) this.session.receivedAt = at;
    this.lookups.responded();
  }

  /** If it fails, unknown issuers are still looked up one by one. */
  private async loadIssuerIds(): Promise<void> {
    try {
      await this.issuerIds.load(ALL, () => this.lookups.run('issuer_ids', readIssuerIds));
    } catch (error) {
      if (!(error instanceof DatabaseUnavailableError)) throw error;
    }
  }

  private async readIssuer(rows: EntityManager, id: string): Promise<Issuer | null> {
    const row = await rows.findOneBy(IssuerEntity, { id });
    if (row === null) return null;
    const stored = await rows
      .createQueryBuilder(IssuerKeyEntity, 'key')
      .addSelect('key.secret')
      .where({ issuerId: id })
      .orderBy({ 'key.createdAt': 'DESC', 'key.id': 'DESC' })
      .getMany();
    const keys = stored.map((key) => this.openKey(key));
    return {
      id: row.id,
      disabled: row.disabled,
      notBefore: row.notBefore,
      deliveryFormat: row.deliveryFormat,
      policy: this.openPolicy(row),
      keys: keys.filter((key) => key.secret !== null),
      lockedKeys: keys.filter((key) => key.secret === null),
    };
  }

  private openPolicy(row: IssuerEntity): Policy | null {
    const policy = readStoredPolicy(row.policy);
    if (policy === null) this.logger.error(`The stored policy of issuer ${row.id} cannot be read.`);
    return policy;
  }

  /** One corrupt secret must not disable the issuer's other keys. */
  private openKey(key: IssuerKeyEntity): SigningKey | LockedKey {
    const { id, issuerId, algorithm, notBefore, notAfter } = key;
    try {
      const secret = createSecretKey(this.secretBox.decrypt(key.secret, issuerKeyAad(issuerId, id)));
      return { id, algorithm, secret, notBefore, notAfter };
    } catch (error) {
      if (!(error instanceof SecretBoxError)) throw error;
      this.logger.error(`Key ${id} of issuer ${issuerId} cannot be used: ${error.message}`);
      return { id, algorithm, secret: null, notBefore, notAfter };
    }
  }
}

/** Whether one of the names is revoked; undefined if the database must be queried. */
export function verdictOf(revocations: Revocations, names: TokenNames): boolean | undefined {
  const wanted = namesOf(names);
  if (revocations.names !== null) return wanted.some((name) => revocations.names.has(name));
  const verdicts = wanted.map((name) => revocations.verdicts.get(name)?.revoked);
  if (verdicts.includes(true)) return true;
  return verdicts.includes(undefined) ? undefined : false;
}

async function readImage(rows: EntityManager, issuerId: string, id: string): Promise<Image | null> {
  const row = await rows.findOne(ImageEntity, { where: { id, issuerId }, withDeleted: true });
  return row && toImage(row);
}

async function readPublicImages(
  rows: EntityManager,
  ids: readonly string[],
): Promise<ReadonlyMap<string, Image>> {
  const found = await rows.find(ImageEntity, {
    where: { id: In([...ids]), access: 'public' },
    withDeleted: true,
  });
  return new Map(found.map((row) => [row.id, toImage(row)]));
}

function toImage(row: ImageEntity): Image {
  const { id, issuerId, publicId, version, deliveryType, access, notBefore, deletedAt } = row;
  return { id, issuerId, publicId, version, deliveryType, access, notBefore, deleted: deletedAt !== null };
}

async function readIssuerIds(rows: EntityManager): Promise<IssuerIds> {
  const found = await rows.find(IssuerEntity, { select: { id: true }, take: MAX_ISSUERS + 1 });
  return { ids: found.length > MAX_ISSUERS ? null : new Set(found.map(({ id }) => id)) };
}

async function readOverlay(rows: EntityManager, issuerId: string, id: string): Promise<Overlay | null> {
  const row = await rows.findOneBy(OverlayEntity, { id, issuerId });
  return row && { id: row.id, publicId: row.publicId, deliveryType: row.deliveryType };
}

async function readRevocations(rows: EntityManager, issuerId: string): Promise<Revocations> {
  const found = await rows
    .createQueryBuilder(RevocationEntity, 'revocation')
    .select(['revocation.kind AS kind', 'revocation.value AS value'])
    .where({ issuerId })
    .limit(MAX_REVOKED_PER_ISSUER + 1)
    .getRawMany<{ kind: RevocationKind; value: string }>();
  return found.length > MAX_REVOKED_PER_ISSUER
    ? { names: null, verdicts: new LRUCache({ max: MAX_VERDICTS }) }
    : { names: new Set(found.map(({ kind, value }) => nameOf(kind, value))) };
}

async function readRevoked(
  rows: EntityManager,
  issuerId: string,
  names: readonly string[],
): Promise<ReadonlySet<string>> {
  const wanted = names.map((name) => ({ issuerId, ...partsOf(name) }));
  const found = await rows.findBy(RevocationEntity, wanted);
  return new Set(found.map(({ kind, value }) => nameOf(kind, value)));
}

/** The names by which a token may be revoked. */
function namesOf({ jwtId, sessionId }: TokenNames): string[] {
  return [
    ...(jwtId === null ? [] : [nameOf('token', jwtId)]),
    ...(sessionId === null ? [] : [nameOf('session', sessionId)]),
  ];
}

function nameOf(kind: RevocationKind, value: string): string {
  return `${kind}:${value}`;
}

function partsOf(name: string): { kind: RevocationKind; value: string } {
  const colon = name.indexOf(':');
  return { kind: name.slice(0, colon) as RevocationKind, value: name.slice(colon + 1) };
}

/** An empty list weighs 1: most issuers have one. */
function weigh({ names }: Revocations): number {
  return 1 + (names?.size ?? MAX_VERDICTS);
}
