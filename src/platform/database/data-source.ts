import pg from 'pg';
import { DataSource, type DataSourceOptions } from 'typeorm';
import type { DatabaseSettings } from '../config/environment.js';
import { AccountSecretEntity } from './entities/account-secret.entity.js';
import { AccountEntity } from './entities/account.entity.js';
import { AdminKeyEntity } from './entities/admin-key.entity.js';
import { AuditEntryEntity } from './entities/audit-entry.entity.js';
import { ImageEntity } from './entities/image.entity.js';
import { IssuerKeyEntity, IssuerKeyUseEntity } from './entities/issuer-key.entity.js';
import { IssuerEntity } from './entities/issuer.entity.js';
import { AssetStateEntity } from './entities/asset-state.entity.js';
import { OriginalEntity } from './entities/original.entity.js';
import { OverlayEntity } from './entities/overlay.entity.js';
import { RetainedPublicIdEntity } from './entities/retained-public-id.entity.js';
import { RevocationEntity } from './entities/revocation.entity.js';
import { ActorSubscriber } from '../actor/actor.subscriber.js';
import { DatabaseClient } from './database-client.js';
import { DatabaseServers, findServers } from './database-servers.js';
import type { EmbeddedPostgres } from './embedded-postgres.js';
import { CreateTables1764000000000 } from './migrations/1764000000000-create-tables.js';
import { CreateOriginals1766000000000 } from './migrations/1766000000000-create-originals.js';
import { CreateRevocations1767000000000 } from './migrations/1767000000000-create-revocations.js';
import { CreateIssuerKeyUses1767100000000 } from './migrations/1767100000000-create-issuer-key-uses.js';
import { AddIssuerPolicy1768000000000 } from './migrations/1768000000000-add-issuer-policy.js';
import { CreateAdminKeysAndAudit1769000000000 } from './migrations/1769000000000-create-admin-keys-and-audit.js';
import { RecordRevocations1770000000000 } from './migrations/1770000000000-record-revocations.js';
import { CreateCloudinaryAssets1771000000000 } from './migrations/1771000000000-create-cloudinary-assets.js';
import { TimeRevocations1772000000000 } from './migrations/1772000000000-time-revocations.js';
import { RetainPublicIds1773000000000 } from './migrations/1773000000000-retain-public-ids.js';
import { CreateAccounts1774000000000 } from './migrations/1774000000000-create-accounts.js';
import { ShareOverlays1775000000000 } from './migrations/1775000000000-share-overlays.js';
import { AddModeration1776000000000 } from './migrations/1776000000000-add-moderation.js';
import { CreateIssuerUsage1777000000000 } from './migrations/1777000000000-create-issuer-usage.js';
import { AddPublicKeys1778000000000 } from './migrations/1778000000000-add-public-keys.js';
import { CreatePicturesAndUses1779000000000 } from './migrations/1779000000000-create-pictures-and-uses.js';
import { CountNewPictures1780000000000 } from './migrations/1780000000000-count-new-pictures.js';
import { NameOriginals1781000000000 } from './migrations/1781000000000-name-originals.js';

/** Milliseconds to wait for a connection, and for a response, before a request gets 503. */
const CONNECT_TIMEOUT = 900;
const QUERY_TIMEOUT = 5_000;
/** Milliseconds after which the pool closes a connection that it does not use. */
const IDLE_TIMEOUT = 10_000;

const SCHEMA = {
  type: 'postgres',
  entities: [
    AccountEntity,
    AccountSecretEntity,
    IssuerEntity,
    IssuerKeyEntity,
    IssuerKeyUseEntity,
    ImageEntity,
    OverlayEntity,
    OriginalEntity,
    RevocationEntity,
    AdminKeyEntity,
    AuditEntryEntity,
    AssetStateEntity,
    RetainedPublicIdEntity,
  ],
  migrations: [
    CreateTables1764000000000,
    CreateOriginals1766000000000,
    CreateRevocations1767000000000,
    CreateIssuerKeyUses1767100000000,
    AddIssuerPolicy1768000000000,
    CreateAdminKeysAndAudit1769000000000,
    RecordRevocations1770000000000,
    CreateCloudinaryAssets1771000000000,
    TimeRevocations1772000000000,
    RetainPublicIds1773000000000,
    CreateAccounts1774000000000,
    ShareOverlays1775000000000,
    AddModeration1776000000000,
    CreateIssuerUsage1777000000000,
    AddPublicKeys1778000000000,
    CreatePicturesAndUses1779000000000,
    CountNewPictures1780000000000,
    NameOriginals1781000000000,
  ],
  subscribers: [ActorSubscriber],
  migrationsTableName: 'migrations',
  // TypeORM would require it by name at run time, beside the copy that is bundled.
  driver: pg,
  synchronize: false,
  // Not needed: Postgres generates UUIDs itself.
  installExtensions: false,
  logging: false,
} satisfies DataSourceOptions;

/**
 * Creates the data source of the settings, not yet initialized: the same driver, entities and migrations for a server
 * and for the embedded database.
 * @param queryTimeout Milliseconds; 0 for none: migrations wait for each other and for large tables.
 * @param servers Those to connect to, by default of DATABASE_URL.
 * @throws FolderLockedError when another process uses the data folder.
 */
export async function createDataSource(
  settings: DatabaseSettings,
  queryTimeout = QUERY_TIMEOUT,
  servers?: DatabaseServers | null,
): Promise<DataSource> {
  if (settings.kind === 'embedded') {
    const { openEmbeddedPostgres } = await import('./embedded-postgres.js');
    return new EmbeddedDataSource(await openEmbeddedPostgres(settings.dataDir));
  }
  const pooled = servers ?? new DatabaseServers(settings.server);
  return new DataSource({
    ...SCHEMA,
    connectTimeoutMS: CONNECT_TIMEOUT,
    applicationName: 'pixseal',
    poolSize: settings.maxConnections,
    extra: {
      // A burst's connections are closed again: an idle process keeps none.
      idleTimeoutMillis: IDLE_TIMEOUT,
      query_timeout: queryTimeout,
      keepAlive: true,
      // Not TypeORM's `url`: its parser supports fewer forms than that of `pg`, and a connection's server may change.
      Client: class extends DatabaseClient {
        constructor(config: pg.ClientConfig) {
          super(pooled, config, queryTimeout);
        }
      },
    },
  });
}

/**
 * Opens the data source of the settings, for a process that starts.
 * @param queryTimeout As of `createDataSource`.
 * @param servers As of `createDataSource`.
 * @throws ConnectionSettingError where the setting of the connection is at fault; FolderLockedError.
 */
export async function openDataSource(
  settings: DatabaseSettings,
  queryTimeout?: number,
  servers = findServers(settings),
): Promise<DataSource> {
  const dataSource = await createDataSource(settings, queryTimeout, servers);
  if (servers === null) return dataSource.initialize();
  try {
    await servers.tryEach(async () => {
      if (!dataSource.isInitialized) await dataSource.initialize();
      // A pooler in statement mode refuses transactions only.
      await dataSource.transaction(() => Promise.resolve());
    });
    return dataSource;
  } catch (error) {
    if (dataSource.isInitialized) await dataSource.destroy();
    throw error;
  }
}

class EmbeddedDataSource extends DataSource {
  constructor(private readonly embedded: EmbeddedPostgres) {
    super({
      ...SCHEMA,
      username: 'postgres',
      database: 'postgres',
      ssl: false,
      // One connection, never closed: PGlite has one session. The pool's queue separates the transactions.
      poolSize: 1,
      extra: { stream: () => embedded.connect(), idleTimeoutMillis: 0 },
    });
  }

  override async destroy(): Promise<void> {
    await super.destroy();
    await this.embedded.close();
  }
}
