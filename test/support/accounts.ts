import { createHash } from 'node:crypto';
import { type HttpResponse, request } from './http.js';
import { now, type Notification } from './notifications.js';
import { post, type Tenant, signWith } from './seed.js';
import { API_SECRET, type Service } from './service.js';

/** A Cloudinary account of a test, as a row. */
export interface AccountFixture {
  readonly id: string;
  readonly cloudName: string;
  readonly apiKey: string;
  readonly apiSecret: string;
}

/** Creates an account over the admin API. */
export async function createAccount(
  service: Service,
  cloudName: string,
  members: Readonly<Record<string, unknown>> = {},
): Promise<AccountFixture> {
  const [apiKey, apiSecret] = [`${cloudName}-key`, `${cloudName}-secret`];
  const { id } = await post<{ id: string }>(service, '/accounts', {
    ...{ name: `Account of ${cloudName}`, cloud_name: cloudName, api_key: apiKey, api_secret: apiSecret },
    ...members,
  });
  return { id, cloudName, apiKey, apiSecret };
}

/** Creates an issuer of an account with an image and an overlay of these public ids. */
export async function createTenantOf(
  service: Service,
  accountId: string | null,
  publicId: string,
  overlayPublicId: string,
): Promise<Tenant> {
  const issuer = await post<{ id: string; key: { id: string; secret: string } }>(service, '/issuers', {
    name: `Issuer of ${publicId}`,
    account_id: accountId,
  });
  const rows = { issuer_id: issuer.id };
  const image = await post<{ id: string }>(service, '/images', { ...rows, public_id: publicId, version: 1 });
  const overlay = await post<{ id: string }>(service, '/overlays', { ...rows, public_id: overlayPublicId });
  const { id: keyId, secret } = issuer.key;
  const sign: Tenant['sign'] = (claims = {}) => signWith(secret, { iss: issuer.id, ...claims });
  const path: Tenant['path'] = (claims) => `/images/${image.id}?token=${sign(claims)}`;
  return {
    ...{ issuerId: issuer.id, keyId, secret, imageId: image.id, overlayId: overlay.id },
    ...{ sign, path, steps: (...transformations) => path({ transformations }) },
  };
}

/**
 * Sends a notification to an account's route, or to that of the environment's account.
 * @param secret The API secret that signs it; by default that of the environment's account.
 */
export function notifyAccount(
  { port }: Pick<Service, 'port'>,
  accountId: string | null,
  notification: Notification,
  secret = API_SECRET,
): Promise<HttpResponse> {
  const body = JSON.stringify(notification);
  const timestamp = String(now());
  const signature = createHash('sha1')
    .update(body + timestamp + secret)
    .digest('hex');
  return request({
    port,
    method: 'POST',
    path: `/cloudinary/notifications${accountId === null ? '' : `/${accountId}`}`,
    body,
    headers: { 'x-cld-timestamp': timestamp, 'x-cld-signature': signature },
  });
}
