import { randomBytes } from 'node:crypto';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { createApp } from '../../src/app.js';
import { keepEmbeddedSecrets } from '../../src/config/embedded-secrets.js';
import { readEnvironment } from '../../src/config/environment.js';
import { request, type Answer } from './http.js';
import { createTestDatabase, type TestDatabase } from './test-database.js';

export const CLOUD = 'sadaasdasd';
export const API_SECRET = 'b5mNqz_Tt0Nn1EaWv9uQyS2xkRg';
export const ADMIN_KEY = 'an-admin-key-of-the-test-suite-0123456789';

/** The variables of a service under test: those of production, in `blank` mode. */
export const TEST_VARIABLES = {
  CLOUDINARY_URL: `cloudinary://123456789012345:${API_SECRET}@${CLOUD}`,
  DELIVERY_MODE: 'blank',
  ADMIN_API_KEYS: ADMIN_KEY,
  SECRETS_KEY: randomBytes(32).toString('base64url'),
  HOST: '127.0.0.1',
  PORT: '0',
  LOG_LEVEL: 'silent',
  DOCS: 'on',
} as const;

/** A service on a real port. */
export interface Service {
  readonly app: NestFastifyApplication;
  readonly url: string;
  readonly port: number;
  /** A request of the admin API: its JSON body parsed. */
  admin(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>;
  get(path: string, headers?: Record<string, string>): Promise<Answer>;
  close(): Promise<void>;
}

/** Starts the service in this process on a database of its own, or on one that the test keeps. */
export async function startService(
  variables: Readonly<Record<string, string | undefined>> = {},
  kept?: TestDatabase,
): Promise<Service> {
  const database = kept ?? (await createTestDatabase());
  const environment = readEnvironment(
    { ...TEST_VARIABLES, ...database.variables, ...variables },
    keepEmbeddedSecrets,
  );
  const app = await createApp(environment);
  await app.listen(environment.port, environment.host);
  const url = await app.getUrl();
  const port = Number(new URL(url).port);
  return {
    app,
    url,
    port,
    get: (path, headers = {}) => request({ port, path, headers }),
    admin: (method, path, body, headers = {}) =>
      request({
        port,
        path: `/admin${path}`,
        method,
        headers: { authorization: `Bearer ${ADMIN_KEY}`, ...headers },
        body,
      }),
    close: async () => {
      await app.close();
      if (kept === undefined) await database.drop();
    },
  };
}
