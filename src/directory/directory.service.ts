import { createPublicKey, createSecretKey } from 'node:crypto';
import { Inject, Injectable, Logger } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { ENVIRONMENT } from '../platform/config/config.module.js';
import type { Environment } from '../platform/config/environment.js';
import { DatabaseUnavailableError } from '../domain/database.errors.js';
import { ChangeFeed, type ChangeListener, type RowChange } from '../platform/database/change-feed.js';
import type { Account } from '../domain/account.js';
import { AccountUnavailableError } from '../domain/account.errors.js';
import type { Image } from '../domain/image.js';
import type { Issuer } from './issuer.js';
import {
  isPublicKeyAlgorithm,
  type LockedKey,
  type PublicKey,
  type SigningKey,
} from '../tokens/signing-key.js';
import { issuerKeyAad } from './secret-aads.js';
import type { Overlay } from '../domain/overlay.js';
import { readStoredPolicy } from '../policy/compile-policy.js';
import type { Policy } from '../policy/policy.js';
import type { TokenNames } from '../domain/revocation.js';
import { type RequestSpan, runInSpan } from '../platform/observability/tracing.js';
import { SecretBox, SecretBoxError } from '../platform/secrets/secret-box.js';
import { type BatchBounds, BatchLoader } from './batch-loader.js';
import { DatabaseLookups, type Query } from './database-lookups.service.js';
import { type CachedRow, RecordCache, type CacheRules, type FeedSession } from './record-cache.js';
import { type AccountDefaults, ClosedAccountError, openAccount } from './open-account.js';
import {
  type AccountRow,
  type AccountSecretRow,
  type IssuerRow,
  type KeyRow,
  readAccounts,
  readAccountsOfClouds,
  readImages,
  readIssuerAliases,
  readIssuerIds,
  readIssuerOfAlias,
  readIssuers,
  readOverlays,
  readPublicImages,
  readRevocations,
  readRevoked,
  type RevocationRow,
  rowKey,
} from './row-queries.js';

const MAX_ISSUERS = 10_000;
const MAX_IMAGES = 50_000;
/** A separate cache, so that probes for unknown ids without a token cannot evict images. */
const MAX_PUBLIC_IMAGES = 50_000;
const MAX_OVERLAYS = 10_000;
const MAX_CLOUDS = 1_000;
/** Accounts of rows by id, and unknown ids, which any client can send. */
const MAX_ACCOUNTS = 10_000;
/** Aliases of issuers that are cached; if there are more, each token that has one is looked up. */
const MAX_ALIASES = 100_000;

/**
 * For look-ups without a token, which any client can cause: they leave eight of the pool's ten connections to tokens.
 */
const PUBLIC_BOUNDS: BatchBounds = { queries: 2, size: 500, waiting: 2_000 };
/** For look-ups with a token. */
const BOUNDS: BatchBounds = { queries: 2, size: 500, waiting: 2_000 };

/** The only key of the caches of all issuers' ids, and of their aliases. */
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

/** The ids of issuers by their aliases; null if there are too many to cache. */
export interface IssuerAliases {
  readonly ids: ReadonlyMap<string, string> | null;
}

/** An account of a row; null if it cannot be used. */
interface AccountState {
  readonly account: Account | null;
}

const NO_ACCOUNTS: ReadonlyMap<string, AccountState> = new Map();

/** Returned for an id that is not an issuer's; it is not a cached row. */
const NO_SUCH_ISSUER: CachedRow<Issuer> = { row: null, isFresh: false };

/**
 * The database's rows in memory. `cached…` does no I/O; if it returns undefined, call `load…`, with the span of the
 * request. Each look-up is within one issuer, for which a row of another does not exist; those of issuers, public images
 * and overlays are by id.
 */
@Injectable()
export class DirectoryService implements ChangeListener {
  private readonly logger = new Logger(DirectoryService.name);
  private session: FeedSession | null = null;
  private readonly issuers: RecordCache<Issuer>;
  private readonly issuerLoader: BatchLoader<Issuer>;
  private readonly issuerIds: RecordCache<IssuerIds>;
  private readonly issuerAliases: RecordCache<IssuerAliases>;
  private readonly images: RecordCache<Image>;
  private readonly imageLoader: BatchLoader<Image>;
  private readonly publicImages: RecordCache<Image>;
  private readonly publicLoader: BatchLoader<Image>;
  private readonly overlays: RecordCache<Overlay>;
  private readonly overlayLoader: BatchLoader<Overlay>;
  private readonly revocations: RecordCache<Revocations>;
  /** Accounts of rows, by their clouds' names. */
  private readonly clouds: RecordCache<AccountState>;
  private readonly cloudLoader: BatchLoader<AccountState>;
  /** Accounts of rows, by their ids. */
  private readonly accounts: RecordCache<AccountState>;
  private readonly accountLoader: BatchLoader<AccountState>;
  /** Why accounts cannot be used, as last logged, by their ids. */
  private readonly loggedReasons = new LRUCache<string, string>({ max: MAX_ACCOUNTS });

  constructor(
    private readonly lookups: DatabaseLookups,
    private readonly secretBox: SecretBox,
    changeFeed: ChangeFeed,
    @Inject(ENVIRONMENT) private readonly environment: AccountDefaults & Pick<Environment, 'maxStale'>,
  ) {
    const rules: CacheRules = {
      connected: LIVE,
      disconnected: FEED_LOST,
      stale: environment.maxStale,
      session: () => this.session,
      isDown: () => this.lookups.isDown,
    };
    const loader = <T>(
      read: (query: Query, keys: readonly string[]) => Promise<ReadonlyMap<string, T>>,
      bounds = BOUNDS,
    ): BatchLoader<T> => new BatchLoader((keys) => this.lookups.run((query) => read(query, keys)), bounds);
    this.issuers = new RecordCache(MAX_ISSUERS, rules);
    this.issuerLoader = loader((query, ids) => this.readIssuers(query, ids));
    // An unknown id is an absence: it has the lifetime of one and is never served stale.
    const live = { found: LIVE.missing, missing: LIVE.missing };
    this.issuerIds = new RecordCache(1, { ...rules, connected: live, stale: 0 });
    this.issuerAliases = new RecordCache(1, rules);
    this.images = new RecordCache(MAX_IMAGES, rules);
    this.imageLoader = loader(readImages);
    this.publicImages = new RecordCache(MAX_PUBLIC_IMAGES, rules);
    this.publicLoader = loader(readPublicImages, PUBLIC_BOUNDS);
    this.overlays = new RecordCache(MAX_OVERLAYS, rules);
    this.overlayLoader = loader(readOverlays);
    this.revocations = new RecordCache(MAX_REVOKED, rules, weigh);
    this.clouds = new RecordCache(MAX_CLOUDS, rules);
    this.cloudLoader = loader((query, names) => this.readClouds(query, names), PUBLIC_BOUNDS);
    this.accounts = new RecordCache(MAX_ACCOUNTS, rules);
    this.accountLoader = loader((query, ids) => this.readAccounts(query, ids), PUBLIC_BOUNDS);
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
  loadIssuer(id: string, span: RequestSpan | null = null): Promise<Issuer | null> {
    return this.issuers.load(id, async () => {
      const issuer = await runInSpan(span, 'look up issuer', () => this.issuerLoader.load(id));
      if (issuer === null) await this.loadIssuerIds(span);
      return issuer;
    });
  }

  /** The aliases of all issuers: forged tokens, each with another `iss`, cause no query of their own. */
  cachedIssuerAliases(): CachedRow<IssuerAliases> | undefined {
    return this.issuerAliases.find(ALL);
  }

  /** @returns the id of the issuer that an alias names; null if none has it. @throws DatabaseUnavailableError (503) */
  async loadIssuerIdOfAlias(alias: string, span: RequestSpan | null = null): Promise<string | null> {
    const aliases = await this.issuerAliases.load(ALL, () =>
      runInSpan(span, 'look up issuer_aliases', () => this.readIssuerAliases()),
    );
    const ids = aliases?.ids ?? null;
    if (ids !== null) return ids.get(alias) ?? null;
    return runInSpan(span, 'look up issuer_alias', () =>
      this.lookups.run((query) => readIssuerOfAlias(query, alias)),
    );
  }

  /** From memory if possible, else loaded. @throws DatabaseUnavailableError (503) */
  async findIssuer(id: string, span: RequestSpan | null = null): Promise<Issuer | null> {
    const cached = this.cachedIssuer(id);
    return cached === undefined ? this.loadIssuer(id, span) : cached.row;
  }

  /**
   * The account of an issuer, by its present row.
   * @returns null if the issuer does not exist.
   * @throws AccountUnavailableError, DatabaseUnavailableError (503)
   */
  async findAccountOf(issuerId: string, span: RequestSpan | null = null): Promise<Account | null> {
    const issuer = await this.loadIssuer(issuerId, span);
    if (issuer?.account === null) throw new AccountUnavailableError();
    return issuer?.account ?? null;
  }

  /**
   * The account of a cloud, of the environment or a row.
   * @returns null if no account has it. @throws AccountUnavailableError, DatabaseUnavailableError (503)
   */
  async findAccountOfCloud(cloudName: string): Promise<Account | null> {
    const { cloudinary } = this.environment;
    if (cloudName === cloudinary.cloudName) return cloudinary;
    const cached = this.clouds.find(cloudName);
    return usableAccount(
      cached === undefined
        ? await this.clouds.load(cloudName, () => this.cloudLoader.load(cloudName))
        : cached.row,
    );
  }

  /**
   * The account of a row, from memory if possible, else loaded.
   * @returns null if it does not exist. @throws AccountUnavailableError, DatabaseUnavailableError (503)
   */
  async findAccount(id: string): Promise<Account | null> {
    const cached = this.accounts.find(id);
    return usableAccount(
      cached === undefined ? await this.accounts.load(id, () => this.accountLoader.load(id)) : cached.row,
    );
  }

  /** An image of this issuer, including deleted ones. */
  cachedImage(issuerId: string, id: string): CachedRow<Image> | undefined {
    return this.images.find(rowKey(issuerId, id));
  }

  /** @throws DatabaseUnavailableError (503) */
  loadImage(issuerId: string, id: string, span: RequestSpan | null = null): Promise<Image | null> {
    const key = rowKey(issuerId, id);
    return this.images.load(key, () => runInSpan(span, 'look up image', () => this.imageLoader.load(key)));
  }

  /** An image of any issuer that may be shown without a token. */
  cachedPublicImage(id: string): CachedRow<Image> | undefined {
    return this.publicImages.find(id);
  }

  /** @throws DatabaseUnavailableError (503) */
  loadPublicImage(id: string, span: RequestSpan | null = null): Promise<Image | null> {
    return this.publicImages.load(id, () =>
      runInSpan(span, 'look up public images', () => this.publicLoader.load(id)),
    );
  }

  /** An overlay of any issuer: `isVisible` decides who may use it. */
  cachedOverlay(id: string): CachedRow<Overlay> | undefined {
    return this.overlays.find(id);
  }

  /** @throws DatabaseUnavailableError (503) */
  loadOverlay(id: string, span: RequestSpan | null = null): Promise<Overlay | null> {
    return this.overlays.load(id, () =>
      runInSpan(span, 'look up overlay', () => this.overlayLoader.load(id)),
    );
  }

  /** The revocations of this issuer's tokens, for `verdictOf`. */
  cachedRevocations(issuerId: string): CachedRow<Revocations> | undefined {
    return this.revocations.find(issuerId);
  }

  /** Whether one of the names is revoked. @throws DatabaseUnavailableError (503) */
  async loadIsRevoked(
    issuerId: string,
    names: TokenNames,
    span: RequestSpan | null = null,
  ): Promise<boolean> {
    const revocations =
      this.cachedRevocations(issuerId)?.row ??
      (await this.revocations.load(issuerId, () =>
        runInSpan(span, 'look up revocations', () => this.readRevocations(issuerId)),
      ));
    if (revocations === null) return false;
    const known = verdictOf(revocations, names);
    if (known !== undefined || revocations.names !== null) return known === true;
    const { verdicts } = revocations;
    const unknown = namesOf(names).filter((name) => !verdicts.has(name));
    const revoked = await runInSpan(span, 'look up revocations', () =>
      this.lookups.run((query) => readRevoked(query, issuerId, unknown.map(partsOf))),
    );
    const revokedNames = new Set(revoked.map(nameOf));
    // If revocations change in the meantime, these verdicts are invalidated with them.
    for (const name of unknown) verdicts.set(name, { revoked: revokedNames.has(name) });
    return verdictOf(revocations, names) === true;
  }

  /** Invalidates a row: called by the change feed, and by writers so that they read their own writes. */
  rowChanged({ table, id, issuer_id: issuerId }: RowChange): void {
    switch (table) {
      case 'issuers':
        this.issuerIds.invalidate(ALL);
        this.issuerAliases.invalidate(ALL);
        this.issuers.invalidate(issuerId);
        return;
      case 'accounts':
        this.issuers.invalidateWhere(({ accountId }) => accountId === id);
        this.clouds.clear();
        this.accounts.invalidate(id);
        return;
      case 'issuer_keys':
        this.issuers.invalidate(issuerId);
        return;
      case 'images':
        this.publicImages.invalidate(id);
        this.images.invalidate(rowKey(issuerId, id));
        return;
      case 'overlays':
        this.overlays.invalidate(id);
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
  private async loadIssuerIds(span: RequestSpan | null): Promise<void> {
    try {
      await this.issuerIds.load(ALL, () => runInSpan(span, 'look up issuer_ids', () => this.readIssuerIds()));
    } catch (error) {
      if (!(error instanceof DatabaseUnavailableError)) throw error;
    }
  }

  private async readIssuerIds(): Promise<IssuerIds> {
    const ids = await this.lookups.run((query) => readIssuerIds(query, MAX_ISSUERS + 1));
    return { ids: ids.length > MAX_ISSUERS ? null : new Set(ids) };
  }

  private async readIssuerAliases(): Promise<IssuerAliases> {
    const rows = await this.lookups.run((query) => readIssuerAliases(query, MAX_ALIASES + 1));
    return { ids: rows.length > MAX_ALIASES ? null : new Map(rows.map(({ alias, id }) => [alias, id])) };
  }

  private async readRevocations(issuerId: string): Promise<Revocations> {
    const rows = await this.lookups.run((query) =>
      readRevocations(query, issuerId, MAX_REVOKED_PER_ISSUER + 1),
    );
    return rows.length > MAX_REVOKED_PER_ISSUER
      ? { names: null, verdicts: new LRUCache({ max: MAX_VERDICTS }) }
      : { names: new Set(rows.map(nameOf)) };
  }

  private async readIssuers(query: Query, ids: readonly string[]): Promise<ReadonlyMap<string, Issuer>> {
    const rows = await readIssuers(query, ids);
    const accountIds = new Set(rows.map(([row]) => row.account_id).filter((id) => id !== null));
    const accounts = accountIds.size === 0 ? NO_ACCOUNTS : await this.readAccounts(query, [...accountIds]);
    return new Map(
      rows.map(([row, keys]) => {
        const account =
          row.account_id === null
            ? this.environment.cloudinary
            : (accounts.get(row.account_id)?.account ?? null);
        return [row.id, this.toIssuer(row, keys, account)];
      }),
    );
  }

  private async readAccounts(
    query: Query,
    ids: readonly string[],
  ): Promise<ReadonlyMap<string, AccountState>> {
    const rows = await readAccounts(query, ids);
    return new Map(rows.map(([row, secrets]) => [row.id, this.openAccount(row, secrets)]));
  }

  private async readClouds(
    query: Query,
    names: readonly string[],
  ): Promise<ReadonlyMap<string, AccountState>> {
    const rows = await readAccountsOfClouds(query, names);
    return new Map(rows.map(([row, secrets]) => [row.cloud_name, this.openAccount(row, secrets)]));
  }

  /** Another account's issuers are served in any case. The reason is logged when it changes, not for each load. */
  private openAccount(row: AccountRow, secrets: readonly AccountSecretRow[]): AccountState {
    try {
      const account = openAccount(row, secrets, this.secretBox, this.environment);
      this.loggedReasons.delete(row.id);
      return { account };
    } catch (error) {
      if (!(error instanceof ClosedAccountError)) throw error;
      if (this.loggedReasons.get(row.id) !== error.message) {
        this.loggedReasons.set(row.id, error.message);
        this.logger.error(`Account ${row.id} cannot be used: ${error.message}`);
      }
      return { account: null };
    }
  }

  private toIssuer(row: IssuerRow, stored: readonly KeyRow[], account: Account | null): Issuer {
    const keys = stored.map((key) => this.openKey(key));
    return {
      id: row.id,
      disabled: row.disabled,
      notBefore: row.not_before,
      account,
      accountId: row.account_id,
      deliveryFormat: row.delivery_format,
      policy: this.openPolicy(row),
      issAliases: row.iss_aliases,
      audience: row.aud,
      jwksUrl: row.jwks_url,
      keys: keys.filter((key) => 'secret' in key && key.secret !== null),
      publicKeys: keys.filter((key) => 'publicKey' in key),
      lockedKeys: keys.filter((key) => 'secret' in key && key.secret === null),
    };
  }

  private openPolicy(row: IssuerRow): Policy | null {
    const policy = readStoredPolicy(row.policy);
    if (policy === null) this.logger.error(`The stored policy of issuer ${row.id} cannot be read.`);
    return policy;
  }

  /** One corrupt key must not disable the issuer's other keys. */
  private openKey(key: KeyRow): SigningKey | PublicKey | LockedKey {
    const { id, issuer_id: issuerId, algorithm, not_before: notBefore, not_after: notAfter } = key;
    const period = { notBefore, notAfter };
    try {
      if (isPublicKeyAlgorithm(algorithm)) {
        return { id, algorithm, publicKey: createPublicKey(key.public_key ?? ''), isRow: true, ...period };
      }
      const secret = this.secretBox.decrypt(key.secret ?? Buffer.of(), issuerKeyAad(issuerId, id));
      return { id, algorithm, secret: createSecretKey(secret), ...period };
    } catch (error) {
      if (!isPublicKeyAlgorithm(algorithm) && !(error instanceof SecretBoxError)) throw error;
      const reason = error instanceof SecretBoxError ? error.message : 'its public key cannot be read';
      this.logger.error(`Key ${id} of issuer ${issuerId} cannot be used: ${reason}`);
      return { id, algorithm, secret: null, ...period };
    }
  }
}

/** @returns null if there is no such account. @throws AccountUnavailableError (503) if it cannot be used. */
function usableAccount(state: AccountState | null): Account | null {
  if (state?.account === null) throw new AccountUnavailableError();
  return state?.account ?? null;
}

/** Whether one of the names is revoked; undefined if the database must be queried. */
export function verdictOf(revocations: Revocations, names: TokenNames): boolean | undefined {
  // Most issuers have revoked nothing.
  if (revocations.names?.size === 0) return false;
  const wanted = namesOf(names);
  if (revocations.names !== null) return wanted.some((name) => revocations.names.has(name));
  const verdicts = wanted.map((name) => revocations.verdicts.get(name)?.revoked);
  if (verdicts.includes(true)) return true;
  return verdicts.includes(undefined) ? undefined : false;
}

/** The names by which a token may be revoked. */
function namesOf({ jwtId, sessionId }: TokenNames): string[] {
  return [
    ...(jwtId === null ? [] : [nameOf({ kind: 'token', value: jwtId })]),
    ...(sessionId === null ? [] : [nameOf({ kind: 'session', value: sessionId })]),
  ];
}

function nameOf({ kind, value }: RevocationRow): string {
  return `${kind}:${value}`;
}

function partsOf(name: string): RevocationRow {
  const colon = name.indexOf(':');
  return { kind: name.slice(0, colon) as RevocationRow['kind'], value: name.slice(colon + 1) };
}

/** An empty list weighs 1: most issuers have one. */
function weigh({ names }: Revocations): number {
  return 1 + (names?.size ?? MAX_VERDICTS);
}
