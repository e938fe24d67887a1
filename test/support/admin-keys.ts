import { post } from './seed.js';
import type { Service } from './service.js';

/** An admin key that was created over the admin API. */
export interface AdminKey {
  readonly id: string;
  readonly key: string;
  /** The header that contains it. */
  readonly headers: { readonly authorization: string };
}

/** Creates an admin key with that of the environment. */
export async function createAdminKey(
  service: Service,
  members: Readonly<Record<string, unknown>> = {},
): Promise<AdminKey> {
  const { id, key } = await post<{ id: string; key: string }>(service, '/admin-keys', {
    name: 'Of a test',
    scopes: ['read', 'write'],
    ...members,
  });
  return { id, key, headers: { authorization: `Bearer ${key}` } };
}

/** A route of the admin API. */
export interface AdminRoute {
  readonly method: string;
  /** Below `/admin`, with parameters in braces. */
  readonly path: string;
}

/** Every route of the admin API in the OpenAPI document, so that new routes are tested too. */
export async function listAdminRoutes(service: Service): Promise<AdminRoute[]> {
  const { paths } = (await service.get('/docs/openapi.json')).json() as { paths: Record<string, object> };
  return Object.entries(paths)
    .filter(([path]) => path.startsWith('/admin/'))
    .flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => ({ method: method.toUpperCase(), path: path.slice(6) })),
    );
}
