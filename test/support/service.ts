import { randomBytes } from 'node:crypto';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { expect, inject } from 'vitest';
import { createApp, type AppBounds } from '../../src/app.js';
import { loadEmbeddedSecrets } from '../../src/platform/config/embedded-secrets.js';
import { readEnvironment } from '../../src/platform/config/environment.js';
import { request, type HttpResponse } from './http.js';
import type { AllowedLocation, ParsedLocation } from './location-parser.js';
import { assertAllowed, type ImageRequest } from './model/assert-allowed.js';
import { ReferenceModel } from './model/reference-model.js';
import { requireBuild } from './require-build.js';
import { createTestDatabase, type TestDatabase } from './test-database.js';
import { readDefaultPolicy } from '../../src/policy/recommended-policy.js';

export const CLOUD = 'sadaasdasd';
export const API_SECRET = 'b5mNqz_Tt0Nn1EaWv9uQyS2xkRg';
export const ADMIN_KEY = 'an-admin-key-of-the-test-suite-0123456789';

/** The environment variables of a service under test: those of production, in `blank` mode. */
export const TEST_VARIABLES = {
  CLOUDINARY_URL: `cloudinary://123456789012345:${API_SECRET}@${CLOUD}`,
  DELIVERY_MODE: 'blank',
  ADMIN_API_KEYS: ADMIN_KEY,
  SECRETS_KEY: randomBytes(32).toString('base64url'),
  HOST: '127.0.0.1',
  PORT: '0',
  LOG_LEVEL: 'silent',
  DOCS: 'on',
  // All tests share one address.
  RATE_LIMIT_ADDRESS: '0',
  DRAIN_SECONDS: '0',
} as const;

/** No load shedding: a machine that runs all suites at once is slow. */
export const NO_PRESSURE = {
  maxEventLoopDelay: 0,
  maxHeapUsedBytes: 0,
  maxRssBytes: 0,
  sampleInterval: 1_000,
};

/** Options of a request for an image. */
export interface RequestOptions {
  readonly method?: 'GET' | 'HEAD';
  readonly headers?: Readonly<Record<string, string>>;
  /** The origin of the Location; by default that of the settings or the Host header. */
  readonly origin?: string;
}

/** A response to a request for an image, with its Location checked. */
export interface ImageResponse extends HttpResponse {
  /** The parsed Location; null without one. */
  readonly shown: ParsedLocation | null;
}

/** A service on a real port. */
export interface Service {
  readonly app: NestFastifyApplication;
  readonly url: string;
  readonly port: number;
  /** The rows that the admin API has created so far. */
  readonly model: ReferenceModel;
  /** Sends a request to the admin API, and records its effect in `model`. */
  admin(
    method: string,
    path: string,
    body?: unknown,
    headers?: Record<string, string>,
  ): Promise<HttpResponse>;
  get(path: string, headers?: Record<string, string>): Promise<HttpResponse>;
  /** Requests an image. @throws if the Location is not allowed: the central check (threats.md). */
  image(path: string, options?: RequestOptions): Promise<ImageResponse>;
  /** Checks a Location that a body contains. */
  assertAllowed(location: string, pathId: string, token?: string): ParsedLocation;
  close(): Promise<void>;
}

/** Starts the service in this process on a new database, or on the test's. */
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
  const model = new ReferenceModel();
  const signing = signingOf({ ...TEST_VARIABLES, ...variables });
  const prefixOf = (origin: string): string =>
    variables['DELIVERY_MODE'] === 'cloudinary' ? '' : `${origin}/assets/blank.jpg`;
  return {
    app,
    url,
    port,
    model,
    get: (path, headers = {}) => request({ port, path, headers }),
    image: async (path, { method = 'GET', headers = {}, origin } = {}) => {
      const response = await request({ port, path, method, headers });
      const { location } = response.headers;
      if (location === undefined) return { ...response, shown: null };
      const reachedBy =
        origin ?? variables['PUBLIC_URL'] ?? `http://${headers['host'] ?? `127.0.0.1:${port}`}`;
      const allowed = { ...signing, prefix: prefixOf(reachedBy) };
      return { ...response, shown: assertAllowed(model, location, parseImageRequest(path), allowed) };
    },
    assertAllowed: (location, pathId, token) => {
      const isBare = !location.includes('#');
      const prefix = isBare ? '' : prefixOf(`http://127.0.0.1:${port}`);
      return assertAllowed(model, location, { pathId, token }, { ...signing, prefix });
    },
    admin: async (method, path, body, headers = {}) => {
      const response = await request({
        port,
        path: `/admin${path}`,
        method,
        headers: { authorization: `Bearer ${ADMIN_KEY}`, ...headers },
        body,
      });
      model.record(method, path, response);
      return response;
    },
    close: async () => {
      await app.close();
      if (kept === undefined) await database.drop();
    },
  };
}

/** How the SDK must sign under these variables. */
function signingOf(
  variables: Readonly<Record<string, string | undefined>>,
): Pick<AllowedLocation, 'signature' | 'authTokenKey' | 'keepsSignature' | 'host'> {
  const options = new URL(variables['CLOUDINARY_URL'] ?? TEST_VARIABLES.CLOUDINARY_URL).searchParams;
  const host = options.get('secure_distribution');
  return {
    signature: options.has('long_url_signature')
      ? 'long'
      : ((variables['CLOUDINARY_SIGNATURE'] ?? options.get('signature_algorithm') ?? 'sha1') as 'sha1'),
    authTokenKey: variables['CLOUDINARY_AUTH_TOKEN_KEY'],
    keepsSignature: variables['CLOUDINARY_AUTH_TOKEN_SIGNATURE'] === 'on',
    host: {
      private_cdn: options.has('private_cdn'),
      ...(host === null ? {} : { secure_distribution: host }),
    },
  };
}

/** Parses the path and query of a request for an image by the rules of URLs. */
export function parseImageRequest(path: string): ImageRequest {
  const mark = path.indexOf('?');
  const [before, query] = mark < 0 ? [path, ''] : [path.slice(0, mark), path.slice(mark + 1)];
  const tokens = new URLSearchParams(query).getAll('token');
  const pathId = decodeURIComponent(before.split('/')[2] ?? '');
  // Several tokens become one invalid token: no Location is allowed for it.
  return { pathId, ...(tokens.length === 0 ? {} : { token: tokens.join(' ') }) };
}

/** Checks that pages are served in embedded mode and not in production by default, and never with `off`. */
export async function expectServedByDefault(
  variable: 'CONSOLE' | 'PLAYGROUND',
  paths: readonly string[],
): Promise<void> {
  const byDefault = inject('database').kind === 'embedded' ? 200 : 404;
  for (const [value, status] of [
    [undefined, byDefault],
    ['off', 404],
  ] as const) {
    const service = await startService({ [variable]: value });
    try {
      for (const path of paths) expect((await service.get(path)).status).toBe(status);
    } finally {
      await service.close();
    }
  }
}
