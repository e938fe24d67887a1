import pg from 'pg';
import { expect, onTestFinished } from 'vitest';
import { request, type HttpResponse } from './http.js';
import { signWith } from './seed.js';
import { ADMIN_KEY } from './service.js';
import { createTestDatabase, type TestDatabase } from './test-database.js';

/** A database that is dropped after the test. */
export async function ownDatabase(options?: { readonly empty: boolean }): Promise<TestDatabase> {
  const database = await createTestDatabase(options);
  onTestFinished(() => database.drop());
  return database;
}

/** A connection to a database on a server, beside those of the service. */
export async function ownClient({ variables }: TestDatabase): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: variables['DATABASE_URL'] });
  await client.connect();
  // A test may kill the connection.
  client.on('error', () => undefined);
  onTestFinished(() => client.end());
  return client;
}

/** A request to a process's admin API. */
export function requestAdmin(
  { port }: { readonly port: number },
  method: string,
  path: string,
  body?: unknown,
  key: string = ADMIN_KEY,
): Promise<HttpResponse> {
  return request({ port, path: `/admin${path}`, method, body, headers: { authorization: `Bearer ${key}` } });
}

/** An issuer and its image, whose public id is `served`. */
export interface ServedImage {
  readonly issuerId: string;
  readonly imageId: string;
  /** Signs a payload of the issuer. */
  seal(claims?: Readonly<Record<string, unknown>>): string;
  /** The image's path with a token of one step and these claims. */
  path(claims?: Readonly<Record<string, unknown>>): string;
}

/** Creates an issuer and an image over a process's admin API. */
export async function createServedImage(service: { readonly port: number }): Promise<ServedImage> {
  const post = async <T>(path: string, body: unknown): Promise<T> => {
    const response = await requestAdmin(service, 'POST', path, body);
    expect(response.status).toBe(201);
    return response.json() as T;
  };
  const issuer = await post<{ id: string; key: { secret: string } }>('/issuers', { name: 'Served' });
  const image = await post<{ id: string }>('/images', {
    issuer_id: issuer.id,
    public_id: 'served',
    version: 5,
  });
  const seal: ServedImage['seal'] = (claims = {}) =>
    signWith(issuer.key.secret, { iss: issuer.id, ...claims });
  return {
    issuerId: issuer.id,
    imageId: image.id,
    seal,
    path: (claims) => `/images/${image.id}?token=${seal({ transformations: [{ width: 5 }], ...claims })}`,
  };
}
