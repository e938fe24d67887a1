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

/** Milliseconds that the keys are believed: the net below the change feed, and what stands in for it. */
const LIVE = 60_000;
const FEED_LOST = 1_000;
/** Milliseconds between two writes of when keys were used. */
const USES_INTERVAL = 60_000;
/** What a key of an unknown prefix is compared with. */
const DECOY_DIGEST = Buffer.alloc(32);

interface KnownKey {
  readonly id: string;
  readonly digest: Buffer;
  readonly actor: Actor;
}

interface Known {
  readonly byPrefix: Promise<ReadonlyMap<string, KnownKey>>;
  readonly until: number;
}

/**
 * The admin keys that this process knows: those of `ADMIN_API_KEYS`, which need no database, and all rows, by prefix.
 * All of them, so that keys which do not exist, however many are tried, never cause a query.
 */
@Injectable()
export class AdminKeyDirectoryService
  extends AdminKeyFinder
  implements ChangeListener, OnApplicationBootstrap, BeforeApplicationShutdown
{
  private readonly logger = new Logger(AdminKeyDirectoryService.name);
  private readonly environmentKeys: readonly { readonly digest: Buffer; readonly actor: Actor }[];
  private readonly uses = new Map<string, Date>();
  private lifetime = FEED_LOST;
  private known: Known | null = null;
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

  /** Digests are of one length and compared in constant time: the time taken tells nothing of any key. */
  async findActor({ prefix, digest }: AdminKeyReference): Promise<Actor | null> {
    const [own] = this.environmentKeys.filter((known) => equalsInConstantTime(known.digest, digest));
    if (own !== undefined) return own.actor;
    if (prefix === null) return null;
    const found = (await this.know()).get(prefix);
    if (!equalsInConstantTime(found?.digest ?? DECOY_DIGEST, digest) || found === undefined) return null;
    const now = new Date();
    if (found.actor.expiresAt !== null && found.actor.expiresAt <= now) return null;
    this.uses.set(found.id, now);
    return found.actor;
  }

  /** Called by the change feed, and by writers so that they read their own writes. */
  invalidate(): void {
    this.known = null;
  }

  rowChanged({ table }: RowChange): void {
    if (table === 'admin_keys') this.invalidate();
  }

  onConnectionChange(live: boolean): void {
    this.lifetime = live ? LIVE : FEED_LOST;
    this.invalidate();
  }

  onApplicationBootstrap(): void {
    this.timer = setInterval(() => void this.writeUses(), USES_INTERVAL).unref();
  }

  async beforeApplicationShutdown(): Promise<void> {
    clearInterval(this.timer);
    await this.writeUses();
  }

  private know(): Promise<ReadonlyMap<string, KnownKey>> {
    if (this.known !== null && this.known.until > performance.now()) return this.known.byPrefix;
    // A change that comes while this loads makes the next request load anew: nobody keeps what it read.
    const known: Known = { byPrefix: this.load(), until: performance.now() + this.lifetime };
    known.byPrefix.catch(() => {
      if (this.known === known) this.known = null;
    });
    this.known = known;
    return known.byPrefix;
  }

  private async load(): Promise<ReadonlyMap<string, KnownKey>> {
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
      // For people to read: a minute's uses may be missing.
      this.logger.warn(`When admin keys were used could not be written: ${String(error)}`);
    }
  }
}
