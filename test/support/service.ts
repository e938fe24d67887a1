import { randomBytes } from 'node:crypto';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { createApp, type AppBounds } from '../../src/app.js';
import { loadEmbeddedSecrets } from '../../src/platform/config/embedded-secrets.js';
import { readEnvironment } from '../../src/platform/config/environment.js';
import { Holdings } from './holdings.js';
import { request, type Answer } from './http.js';
import type { Approval, ParsedLocation } from './location-parser.js';
import { requireBuild } from './require-build.js';
import { createTestDatabase, type TestDatabase } from './test-database.js';
import { readDefaultPolicy } from '../../src/policy/recommended-policy.js';

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
  // All tests come from one address.
  RATE_LIMIT_ADDRESS: '0',
  DRAIN_SECONDS: '0',
} as const;

/** A machine that runs all suites at once is slow, and the service must not say so. */
export const NO_PRESSURE = {
  maxEventLoopDelay: 0,
  maxHeapUsedBytes: 0,
  maxRssBytes: 0,
  sampleInterval: 1_000,
};

/** How an image is asked for, beside its path. */
export interface Asking {
  readonly method?: 'GET' | 'HEAD';
  readonly headers?: Readonly<Record<string, string>>;
  /** Where the Location must point; by the settings and the Host header when absent. */
  readonly origin?: string;
}

/** An answer to a request for an image, its Location approved. */
export interface ImageAnswer extends Answer {
  /** The Location taken apart; null where there is none. */
  readonly shown: ParsedLocation | null;
}

/** A service on a real port. */
export interface Service {
  readonly app: NestFastifyApplication;
  readonly url: string;
  readonly port: number;
  /** What the admin API has given so far. */
  readonly holdings: Holdings;
  /** A request of the admin API. */
  admin(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>;
  get(path: string, headers?: Record<string, string>): Promise<Answer>;
  /** Asks for an image. @throws where a Location is not approved: the test above all tests (threats.md). */
  image(path: string, asking?: Asking): Promise<ImageAnswer>;
  /** Approves a Location that came in a body. */
  approve(location: string, pathId: string, token?: string): ParsedLocation;
  close(): Promise<void>;
}

/** Starts the service in this process on a database of its own, or on one that the test keeps. */
export async function startService(
  variables: Readonly<Record<string, string | undefined>> = {},
  kept?: TestDatabase,
  bounds: AppBounds = { pressure: NO_PRESSURE },
): Promise<Service> {
  // Every service serves the pages; mode `local` renders on threads that run from `dist`.
  await requireBuild('pages');
  if (variables['DELIVERY_MODE'] === 'local') await requireBuild('server');
  const database = kept ?? (await createTestDatabase());
  const environment = readEnvironment(
    { ...TEST_VARIABLES, ...database.variables, ...variables },
    loadEmbeddedSecrets,
    readDefaultPolicy,
  );
  const app = await createApp(environment, bounds);
  await app.listen(environment.port, environment.host);
  const url = await app.getUrl();
  const port = Number(new URL(url).port);
  const holdings = new Holdings({
    signature: (variables['CLOUDINARY_SIGNATURE'] ?? 'sha1') as Approval['signature'] & string,
    authTokenKey: variables['CLOUDINARY_AUTH_TOKEN_KEY'],
  });
  const prefixOf = (origin: string): string =>
    variables['DELIVERY_MODE'] === 'cloudinary' ? '' : `${origin}/assets/blank.jpg`;
  return {
    app,
    url,
    port,
    holdings,
    get: (path, headers = {}) => request({ port, path, headers }),
    image: async (path, { method = 'GET', headers = {}, origin } = {}) => {
      const answer = await request({ port, path, method, headers });
      const { location } = answer.headers;
      if (location === undefined) return { ...answer, shown: null };
      const asked = readAsked(path);
      const reachedBy =
        origin ?? variables['PUBLIC_URL'] ?? `http://${headers['host'] ?? `127.0.0.1:${port}`}`;
      return { ...answer, shown: holdings.approve(location, asked, prefixOf(reachedBy)) };
    },
    approve: (location, pathId, token) =>
      holdings.approve(
        location,
        { pathId, token },
        location.startsWith('https://res.cloudinary.com') ? '' : prefixOf(`http://127.0.0.1:${port}`),
      ),
    admin: async (method, path, body, headers = {}) => {
      const answer = await request({
        port,
        path: `/admin${path}`,
        method,
        headers: { authorization: `Bearer ${ADMIN_KEY}`, ...headers },
        body,
      });
      holdings.note(method, path, answer);
      return answer;
    },
    close: async () => {
      await app.close();
      if (kept === undefined) await database.drop();
    },
  };
}

/** What a path asks for, read by the URL's own rules. */
export function readAsked(path: string): { pathId: string; token?: string } {
  const mark = path.indexOf('?');
  const [before, query] = mark < 0 ? [path, ''] : [path.slice(0, mark), path.slice(mark + 1)];
  const tokens = new URLSearchParams(query).getAll('token');
  const pathId = decodeURIComponent(before.split('/')[2] ?? '');
  // No answer to several tokens can be approved.
  return { pathId, ...(tokens.length === 0 ? {} : { token: tokens.join(' ') }) };
}
