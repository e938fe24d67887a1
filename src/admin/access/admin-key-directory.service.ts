import {
  Inject,
  Injectable,
  Logger,
  type BeforeApplicationShutdown,
  type OnApplicationBootstrap,
} from '@nestjs/common';
import { DataSource } from 'typeorm';
import { SCOPES, type Actor } from '../../platform/actor/actor.js';
import { AdminKeyFinder, type AdminKeyReference } from './admin-key.guard.js';
import { ENVIRONMENT } from '../../platform/config/config.module.js';
import type { Environment } from '../../platform/config/environment.js';
import { ChangeFeed, type ChangeListener, type RowChange } from '../../platform/database/change-feed.js';
import { equalsInConstantTime } from '../../domain/constant-time.js';
import { AdminKeyEntity } from '../../platform/database/entities/admin-key.entity.js';
import { digestOf, prefixOf } from './admin-key.js';

/** Milliseconds that cached keys are fresh: with the change feed as a safety net, and without it. */
const CONNECTED = 60_000;
const DISCONNECTED = 1_000;
/** Milliseconds between two writes of `last_used_at`. */
const USES_INTERVAL = 60_000;
/** Compared with a key of an unknown prefix, so that the time taken is the same. */
const DECOY_DIGEST = Buffer.alloc(32);

interface CachedKey {
  readonly id: string;
  readonly digest: Buffer;
  readonly actor: Actor;
}

interface CachedKeys {
  readonly byPrefix: Promise<ReadonlyMap<string, CachedKey>>;
  readonly freshUntil: number;
}

/**
 * The admin keys in memory: those of `ADMIN_API_KEYS`, which need no database, and all rows by prefix. All of them, so
 * that guessed keys cause no queries.
 */
@Injectable()
export class AdminKeyDirectoryService
  extends AdminKeyFinder
  implements ChangeListener, OnApplicationBootstrap, BeforeApplicationShutdown
{
  private readonly logger = new Logger(AdminKeyDirectoryService.name);
  private readonly environmentKeys: readonly { readonly digest: Buffer; readonly actor: Actor }[];
  private readonly uses = new Map<string, Date>();
  private lifetime = DISCONNECTED;
  private cached: CachedKeys | null = null;
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly dataSource: DataSource,
    changeFeed: ChangeFeed,
    @Inject(ENVIRONMENT) environment: Pick<Environment, 'adminApiKeys'>,
  ) {
    super();
    this.environmentKeys = environment.adminApiKeys.map((key) => {
      const digest = digestOf(key);
      const name = `environment:${digest.toString('hex').slice(0, 8)}`;
      return { digest, actor: { name, scopes: SCOPES, issuerId: null, expiresAt: null } };
    });
    changeFeed.subscribe(this);
  }

  referTo(key: string): AdminKeyReference {
    return { prefix: prefixOf(key), digest: digestOf(key) };
  }

  /** Digests have one length and are compared in constant time, so the time taken discloses nothing of a key. */
  async findActor({ prefix, digest }: AdminKeyReference): Promise<Actor | null> {
    const [own] = this.environmentKeys.filter((known) => equalsInConstantTime(known.digest, digest));
    if (own !== undefined) return own.actor;
    if (prefix === null) return null;
    const found = (await this.getKeys()).get(prefix);
    if (!equalsInConstantTime(found?.digest ?? DECOY_DIGEST, digest) || found === undefined) return null;
    const now = new Date();
    if (found.actor.expiresAt !== null && found.actor.expiresAt <= now) return null;
    this.uses.set(found.id, now);
    return found.actor;
  }

  /** Called by the change feed, and by writers so that they read their own writes. */
  invalidate(): void {
    this.cached = null;
  }

  rowChanged({ table }: RowChange): void {
    if (table === 'admin_keys') this.invalidate();
  }

  onConnectionChange(live: boolean): void {
    this.lifetime = live ? CONNECTED : DISCONNECTED;
    this.invalidate();
  }

  onApplicationBootstrap(): void {
    this.timer = setInterval(() => void this.writeUses(), USES_INTERVAL).unref();
  }

  async beforeApplicationShutdown(): Promise<void> {
    clearInterval(this.timer);
    await this.writeUses();
  }

  private getKeys(): Promise<ReadonlyMap<string, CachedKey>> {
    if (this.cached !== null && this.cached.freshUntil > performance.now()) return this.cached.byPrefix;
    // A change during the load clears the cache, so the next request loads again.
    const cached: CachedKeys = { byPrefix: this.load(), freshUntil: performance.now() + this.lifetime };
    cached.byPrefix.catch(() => {
      if (this.cached === cached) this.cached = null;
    });
    this.cached = cached;
    return cached.byPrefix;
  }

  private async load(): Promise<ReadonlyMap<string, CachedKey>> {
    const rows = await this.dataSource
      .getRepository(AdminKeyEntity)
      .createQueryBuilder('key')
      .addSelect('key.digest')
      .getMany();
    return new Map(
      rows.map(({ id, prefix, digest, scopes, issuerId, expiresAt }) => {
        const actor = { name: `admin_key:${id}`, scopes, issuerId, expiresAt };
        return [prefix, { id, digest, actor }];
      }),
    );
  }

  private async writeUses(): Promise<void> {
    const uses = [...this.uses];
    if (uses.length === 0) return;
    this.uses.clear();
    try {
      await this.dataSource.query(
        `UPDATE admin_keys AS k SET last_used_at = greatest(k.last_used_at, u.at)
           FROM unnest($1::uuid[], $2::timestamptz[]) AS u (id, at) WHERE k.id = u.id`,
        [uses.map(([id]) => id), uses.map(([, at]) => at)],
      );
    } catch (error) {
      // Informational: a minute's uses may be missing.
      this.logger.warn(`Could not record the uses of admin keys: ${String(error)}`);
    }
  }
}
