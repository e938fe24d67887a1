import { createSecretKey } from 'node:crypto';
import { Inject, Injectable, Logger } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { type EntityManager, In } from 'typeorm';
import { ENVIRONMENT } from '../config/config.module.js';
import type { Environment } from '../config/environment.js';
import { DatabaseUnavailableError } from '../database/database.errors.js';
import { ChangeFeed, type ChangeListener, type RowChange } from '../database/change-feed.js';
import { ImageEntity } from '../images/image.entity.js';
import type { Image } from '../images/image.js';
import { IssuerKeyEntity } from '../issuers/issuer-key.entity.js';
import { IssuerEntity } from '../issuers/issuer.entity.js';
import { IssuerFinder, type Issuer } from '../issuers/issuer.js';
import type { LockedKey, SigningKey } from '../tokens/signing-key.js';
import { issuerKeyPlace } from '../issuers/issuer-key-place.js';
import { OverlayEntity } from '../overlays/overlay.entity.js';
import type { Overlay } from '../overlays/overlay.js';
import { readStoredPolicy } from '../policy/compile-policy.js';
import type { Policy } from '../policy/policy.js';
import { RevocationEntity } from '../revocations/revocation.entity.js';
import { RevocationFinder, type RevocationKind, type TokenNames } from '../revocations/revocation.js';
import { SecretBox, SecretBoxError } from '../secrets/secret-box.js';
import { BatchLoader } from './batch-loader.js';
import { DatabaseLookups } from './database-lookups.service.js';
import { type Entry, RecordCache, type CacheRules, type FeedSession } from './record-cache.js';

const MAX_ISSUERS = 10_000;
const MAX_IMAGES = 50_000;
/** By id alone, without a token: whoever asks for ids that nobody has takes no place of the others. */
const MAX_PUBLIC_IMAGES = 50_000;
const MAX_OVERLAYS = 10_000;

/** Of look-ups without a token, which anyone may cause: of the pool's ten connections, eight are left to tokens. */
const PUBLIC_BOUNDS = { queries: 2, size: 500, waiting: 2_000 };

/** The one key of the cache that holds all issuers' ids. */
const ALL = 'all';

/** Names of revoked tokens and sessions, of all issuers together. */
const MAX_REVOKED = 500_000;
/** Revocations of one issuer that are held as a whole; where there are more, each token is asked for by itself. */
const MAX_REVOKED_PER_ISSUER = 10_000;
/** Answers that are remembered of an issuer with more; they weigh as much. */
const MAX_VERDICTS = 10_000;

/** Milliseconds: the net below the change feed, and what stands in for it while it is lost. */
const LIVE = { found: 60_000, missing: 5_000 };
const FEED_LOST = { found: 1_000, missing: 1_000 };

/** Rows that a redirect was made from. */
export interface KnownRows {
  readonly issuer: Issuer;
  readonly image: Image;
  readonly overlays: ReadonlyMap<string, Overlay>;
}

/** The same rows as their caches have them. */
export interface HeldRows {
  readonly issuer: Entry<Issuer>;
  readonly image: Entry<Image>;
  readonly overlays: readonly Entry<Overlay>[];
}

/** A row, or null for none; a promise only where the database is asked. */
export type Found<T> = T | null | Promise<T | null>;

/** An issuer's revocations: all their names, or where they are too many, answers by name. */
type Revocations =
  | { readonly names: ReadonlySet<string> }
  | { readonly names: null; readonly verdicts: LRUCache<string, { readonly revoked: boolean }> };

/** The ids of all issuers; null where there are more than may be cached. */
interface IssuerIds {
  readonly ids: ReadonlySet<string> | null;
}

/**
 * What this process knows of the database: the way of a warm redirect asks it alone and does no I/O.
 * Every look-up is within one issuer; a row of another issuer is one that does not exist.
 */
@Injectable()
export class DirectoryService extends IssuerFinder implements ChangeListener, RevocationFinder {
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
    super();
    const rules: CacheRules = {
      live: LIVE,
      lost: FEED_LOST,
      stale: maxStale,
      session: () => this.session,
      isDown: () => this.lookups.isDown,
    };
    this.issuers = new RecordCache(MAX_ISSUERS, rules);
    // What is not among the ids is an absence: it lives as briefly as one, and is never served on.
    const live = { found: LIVE.missing, missing: LIVE.missing };
    this.issuerIds = new RecordCache(1, { ...rules, live, stale: 0 });
    this.images = new RecordCache(MAX_IMAGES, rules);
    this.publicImages = new RecordCache(MAX_PUBLIC_IMAGES, rules);
    this.publicLoader = new BatchLoader(
      (ids) => this.lookups.run('public images', (rows) => loadPublicImages(rows, ids)),
      PUBLIC_BOUNDS,
    );
    this.overlays = new RecordCache(MAX_OVERLAYS, rules);
    this.revocations = new RecordCache(MAX_REVOKED, rules, weigh);
    changeFeed.subscribe(this);
  }

  /** The caches by name, for whoever counts. */
  caches(): readonly (readonly [name: string, cache: Pick<RecordCache<object>, 'counts' | 'entryCount'>])[] {
    const { issuers, images, publicImages, overlays, revocations } = this;
    return Object.entries({ issuers, images, public_images: publicImages, overlays, revocations });
  }

  /** An issuer with its keys. @throws DatabaseUnavailableError (503) */
  findIssuer(id: string): Found<Issuer> {
    const known = this.issuers.peek(id);
    if (known !== undefined) return known;
    // Forged tokens may each name another issuer: they cost no query each, and take no other issuer's place.
    if (this.issuerIds.peek(ALL)?.ids?.has(id) === false) return null;
    return this.issuers.get(id, async () => {
      const issuer = await this.lookups.run('issuer', (rows) => this.loadIssuer(rows, id));
      if (issuer === null) await this.learnIssuerIds();
      return issuer;
    });
  }

  /** An image of this issuer, deleted ones among them. @throws DatabaseUnavailableError (503) */
  findImage(issuerId: string, id: string): Found<Image> {
    const key = `${issuerId}/${id}`;
    const known = this.images.peek(key);
    if (known !== undefined) return known;
    return this.images.get(key, () => this.lookups.run('image', (rows) => loadImage(rows, issuerId, id)));
  }

  /** An image that may be seen without a token, whoever's it is. @throws DatabaseUnavailableError (503) */
  findPublicImage(id: string): Found<Image> {
    const known = this.publicImages.peek(id);
    return known === undefined ? this.publicImages.get(id, () => this.publicLoader.load(id)) : known;
  }

  /** An overlay of this issuer. @throws DatabaseUnavailableError (503) */
  findOverlay(issuerId: string, id: string): Found<Overlay> {
    const key = `${issuerId}/${id}`;
    const known = this.overlays.peek(key);
    return known === undefined ? this.askOverlay(key, issuerId, id) : known;
  }

  /** Takes hold of rows in their caches, so that `isCurrent` need not look for them; null where one is there no more. */
  hold({ issuer, image, overlays }: KnownRows): HeldRows | null {
    const issuerEntry = this.issuers.entry(issuer.id);
    const imageEntry = this.images.entry(`${image.issuerId}/${image.id}`);
    if (issuerEntry?.row !== issuer || imageEntry?.row !== image) return null;
    const overlayEntries: Entry<Overlay>[] = [];
    for (const overlay of overlays.values()) {
      const entry = this.overlays.entry(`${issuer.id}/${overlay.id}`);
      if (entry?.row !== overlay) return null;
      overlayEntries.push(entry);
    }
    return { issuer: issuerEntry, image: imageEntry, overlays: overlayEntries };
  }

  /** Whether a look-up would give these very rows now, without asking the database. */
  isCurrent({ issuer, image, overlays }: HeldRows): boolean {
    if (!this.issuers.isCurrent(issuer) || !this.images.isCurrent(image)) return false;
    for (const overlay of overlays) {
      if (!this.overlays.isCurrent(overlay)) return false;
    }
    return true;
  }

  isRevoked(issuerId: string, names: TokenNames): boolean | Promise<boolean> {
    return this.knowsRevoked(issuerId, names) ?? this.askRevoked(issuerId, namesOf(names));
  }

  /** The same as far as it is known; null where the database would have to be asked. */
  knowsRevoked(issuerId: string, names: TokenNames): boolean | null {
    if (names.jwtId === null && names.sessionId === null) return false;
    const known = this.revocations.peek(issuerId);
    if (known === undefined || known === null) return null;
    const wanted = namesOf(names);
    if (known.names !== null) return wanted.some((name) => known.names.has(name));
    const verdicts = wanted.map((name) => known.verdicts.get(name)?.revoked);
    if (verdicts.includes(true)) return true;
    return verdicts.includes(undefined) ? null : false;
  }

  /** Forgets a row: called by the change feed, and by writers so that they read their own writes. */
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

  /** What was loaded in a session that has ended must be asked for again: changes may have been missed. */
  liveChanged(live: boolean): void {
    if (this.session !== null) this.session.live = false;
    this.session = live ? { live, heardAt: performance.now() } : null;
    if (!live) this.lookups.dropIdle();
  }

  heardAll(at: number): void {
    if (this.session !== null) this.session.heardAt = at;
    this.lookups.heard();
  }

  private askOverlay(key: string, issuerId: string, id: string): Found<Overlay> {
    return this.overlays.get(key, () =>
      this.lookups.run('overlay', (rows) => loadOverlay(rows, issuerId, id)),
    );
  }

  /** Without an answer, unknown issuers go on being asked for one by one. */
  private async learnIssuerIds(): Promise<void> {
    try {
      await this.issuerIds.get(ALL, () => this.lookups.run('issuer_ids', loadIssuerIds));
    } catch (error) {
      if (!(error instanceof DatabaseUnavailableError)) throw error;
    }
  }

  private async loadIssuer(rows: EntityManager, id: string): Promise<Issuer | null> {
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

  /** One altered secret must not take the issuer's other keys along. */
  private openKey(key: IssuerKeyEntity): SigningKey | LockedKey {
    const { id, issuerId, algorithm, notBefore, notAfter } = key;
    try {
      const secret = createSecretKey(this.secretBox.open(key.secret, issuerKeyPlace(issuerId, id)));
      return { id, algorithm, secret, notBefore, notAfter };
    } catch (error) {
      if (!(error instanceof SecretBoxError)) throw error;
      this.logger.error(`Key ${id} of issuer ${issuerId} cannot be used: ${error.message}`);
      return { id, algorithm, secret: null, notBefore, notAfter };
    }
  }

  private async askRevoked(issuerId: string, wanted: readonly string[]): Promise<boolean> {
    const known = await this.revocations.get(issuerId, () =>
      this.lookups.run('revocations', (rows) => loadRevocations(rows, issuerId)),
    );
    if (known === null) return false;
    if (known.names !== null) return wanted.some((name) => known.names.has(name));
    const { verdicts } = known;
    const unknown = wanted.filter((name) => !verdicts.has(name));
    if (unknown.length > 0) {
      const revoked = await this.lookups.run('revocations', (rows) => findRevoked(rows, issuerId, unknown));
      // Of revocations that were changed meanwhile, these verdicts are dropped with the rest.
      for (const name of unknown) verdicts.set(name, { revoked: revoked.has(name) });
      if (revoked.size > 0) return true;
    }
    return wanted.some((name) => verdicts.get(name)?.revoked === true);
  }
}

async function loadImage(rows: EntityManager, issuerId: string, id: string): Promise<Image | null> {
  const row = await rows.findOne(ImageEntity, { where: { id, issuerId }, withDeleted: true });
  return row && toImage(row);
}

async function loadPublicImages(
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

async function loadIssuerIds(rows: EntityManager): Promise<IssuerIds> {
  const found = await rows.find(IssuerEntity, { select: { id: true }, take: MAX_ISSUERS + 1 });
  return { ids: found.length > MAX_ISSUERS ? null : new Set(found.map(({ id }) => id)) };
}

async function loadOverlay(rows: EntityManager, issuerId: string, id: string): Promise<Overlay | null> {
  const row = await rows.findOneBy(OverlayEntity, { id, issuerId });
  return row && { id: row.id, publicId: row.publicId, deliveryType: row.deliveryType };
}

async function loadRevocations(rows: EntityManager, issuerId: string): Promise<Revocations> {
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

async function findRevoked(
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

/** An empty list weighs too: most issuers have one. */
function weigh({ names }: Revocations): number {
  return 1 + (names?.size ?? MAX_VERDICTS);
}
