import type { HttpResponse } from './http.js';
import type { Tenant } from './seed.js';
import type { Service } from './service.js';

type Invalidation = readonly [
  name: string,
  invalidate: (service: Service, tenant: Tenant) => Promise<HttpResponse>,
];

/** The claims of a token that each of `INVALIDATIONS` invalidates. */
export const INVALIDATED_CLAIMS = { jti: 'one', session_id: 'one' } as const;

const change =
  (method: string, path: (tenant: Tenant) => string, body?: () => object): Invalidation[1] =>
  (service, tenant) =>
    service.admin(method, path(tenant), body?.());
const now = (): string => new Date().toISOString();
const revocations = ({ issuerId }: Tenant): string => `/issuers/${issuerId}/revocations`;
const issuer = ({ issuerId }: Tenant): string => `/issuers/${issuerId}`;
const key = ({ issuerId, keyId }: Tenant): string => `/issuers/${issuerId}/keys/${keyId}`;
const image = ({ imageId }: Tenant): string => `/images/${imageId}`;

/** Every way in which an operator invalidates a tenant's token before it expires. */
export const INVALIDATIONS: readonly Invalidation[] = [
  ['a revoked jti', change('POST', revocations, () => ({ jti: 'one' }))],
  ['a revoked session', change('POST', revocations, () => ({ session_id: 'one' }))],
  ['a revoked key', change('DELETE', key)],
  ['a disabled issuer', change('PATCH', issuer, () => ({ disabled: true }))],
  ['a token from before an issuer’s not_before', change('PATCH', issuer, () => ({ not_before: now() }))],
  ['a token from before an image’s not_before', change('PATCH', image, () => ({ not_before: now() }))],
];
