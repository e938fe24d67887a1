import type { Answer } from './http.js';
import type { Tenant } from './seed.js';
import type { Service } from './service.js';

/** The claims of a token that every one of `ENDINGS` ends. */
export const ENDED_CLAIMS = { jti: 'one', session_id: 'one' } as const;

/** Everything by which an operator ends a tenant's token before its time. */
export const ENDINGS: readonly (readonly [
  name: string,
  end: (service: Service, tenant: Tenant) => Promise<Answer>,
])[] = [
  [
    'a jti',
    (service, { issuerId }) => service.admin('POST', `/issuers/${issuerId}/revocations`, { jti: 'one' }),
  ],
  [
    'a session',
    (service, { issuerId }) =>
      service.admin('POST', `/issuers/${issuerId}/revocations`, { session_id: 'one' }),
  ],
  ['a key', (service, { issuerId, keyId }) => service.admin('DELETE', `/issuers/${issuerId}/keys/${keyId}`)],
  [
    'an issuer',
    (service, { issuerId }) => service.admin('PATCH', `/issuers/${issuerId}`, { disabled: true }),
  ],
  [
    'what an issuer sealed before now',
    (service, { issuerId }) =>
      service.admin('PATCH', `/issuers/${issuerId}`, { not_before: new Date().toISOString() }),
  ],
  [
    'what was sealed for an image before now',
    (service, { imageId }) =>
      service.admin('PATCH', `/images/${imageId}`, { not_before: new Date().toISOString() }),
  ],
];
