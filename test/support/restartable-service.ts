import { DataSource } from 'typeorm';
import { afterEach, beforeEach } from 'vitest';
import type { Tenant } from './seed.js';
import { startService, type Service } from './service.js';
import { createTestDatabase, type TestDatabase } from './test-database.js';

/** A service that each test starts on a new database, and restarts there under another `SECRETS_KEY`. */
export interface RestartableService {
  readonly service: Service;
  readonly database: TestDatabase;
  readonly start: (secretsKey: string) => Promise<void>;
  readonly stop: () => Promise<void>;
  readonly restart: (secretsKey: string) => Promise<void>;
  readonly query: <T>(text: string, parameters?: unknown[]) => Promise<T>;
  /** Damages the encrypted secret of a tenant's key. */
  readonly flipLastBit: (tenant: Tenant) => Promise<unknown>;
  /** The status of a redirect. The rows are not recorded after a restart, so no Location is checked. */
  readonly statusOf: (tenant: Tenant, path?: string) => Promise<number>;
}

/** Starts the service before each test of a file and closes it afterwards. @param secretsKey Its first key. */
export function useRestartableService(secretsKey: string): RestartableService {
  let database: TestDatabase;
  let service: Service;
  let isRunning = false;
  const start = async (key: string): Promise<void> => {
    service = await startService({ SECRETS_KEY: key }, database);
    isRunning = true;
  };
  const stop = async (): Promise<void> => {
    if (isRunning) await service.close();
    isRunning = false;
  };
  beforeEach(async () => {
    database = await createTestDatabase();
    await start(secretsKey);
  });
  afterEach(async () => {
    await stop();
    await database.drop();
  });
  const query = <T>(text: string, parameters: unknown[] = []): Promise<T> =>
    service.app.get(DataSource).query(text, parameters);
  return {
    get service() {
      return service;
    },
    get database() {
      return database;
    },
    start,
    stop,
    restart: async (key) => {
      await stop();
      await start(key);
    },
    query,
    flipLastBit: ({ keyId }) =>
      query(
        `UPDATE issuer_keys
            SET secret = set_byte(secret, length(secret) - 1, get_byte(secret, length(secret) - 1) # 1)
          WHERE id = $1`,
        [keyId],
      ),
    statusOf: async (tenant, path = tenant.path()) => (await service.get(path)).status,
  };
}
