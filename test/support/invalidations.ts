import type { HttpResponse } from './http.js';
import type { Tenant } from './seed.js';
import type { Service } from './service.js';

type Invalidation = readonly [
  name: string,
  invalidate: (service: Service, tenant: Tenant) => Promise<HttpResponse>,
];

/** The claims of a token that every one of `ENDINGS` ends. */
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

/** Everything by which an operator ends a tenant's token before its time. */
export const INVALIDATIONS: readonly Invalidation[] = [
  ['a jti', change('POST', revocations, () => ({ jti: 'one' }))],
  ['a session', change('POST', revocations, () => ({ session_id: 'one' }))],
  ['a key', change('DELETE', key)],
  ['an issuer', change('PATCH', issuer, () => ({ disabled: true }))],
  ['what an issuer sealed before now', change('PATCH', issuer, () => ({ not_before: now() }))],
  ['what was sealed for an image before now', change('PATCH', image, () => ({ not_before: now() }))],
];
