import { createSecretKey, randomUUID } from 'node:crypto';
import { JwtService } from '@nestjs/jwt';
import { TokenSigner } from '../../src/tokens/token-signer.js';
import type { Service } from './service.js';

/** The seed's ids and names. */
export const SEED = {
  issuerId: 'cfd3b472-dbba-4089-bce7-f5c1e413b5c1',
  imageId: '161400d0-c894-42fd-8100-262361ea91ff',
  overlayId: '3d616b4e-a597-4b23-aa3d-d7de678f0ba6',
  publicId: 'ba5a440dbe3d',
  overlayPublicId: 'd47e609177b4',
  version: 123123,
  transformations: [
    {
      width: 200,
      overlay: '3d616b4e-a597-4b23-aa3d-d7de678f0ba6',
      flags: 'tiled',
      miaim: 'hey hey !',
      super_plop: 'test?',
    },
    { width: 101, flags: 'tiled', height: 102, crop: 'fit' },
  ],
} as const;

/** A tenant of a test, with its rows. */
export interface Tenant {
  readonly issuerId: string;
  readonly keyId: string;
  readonly secret: string;
  readonly imageId: string;
  readonly overlayId: string;
  /** Signs a payload of this tenant; the claims override the default ones. */
  sign(claims?: Readonly<Record<string, unknown>>): string;
  /** The path of the tenant's image with a token of these claims. */
  path(claims?: Readonly<Record<string, unknown>>): string;
  /** The path of the tenant's image with a token of these steps. */
  steps(...transformations: readonly unknown[]): string;
}

export interface TenantRows {
  readonly issuerId?: string;
  readonly imageId?: string;
  readonly overlayId?: string;
  readonly publicId: string;
  readonly overlayPublicId: string;
  readonly access?: 'token' | 'public';
}

/** Creates an issuer with an image and an overlay over the admin API, as an operator does. */
export async function createTenant(service: Service, rows: TenantRows): Promise<Tenant> {
  const issuer = await post<{ id: string; key: { id: string; secret: string } }>(service, '/issuers', {
    id: rows.issuerId,
    name: `Tenant of ${rows.publicId}`,
  });
  const image = await post<{ id: string }>(service, '/images', {
    id: rows.imageId,
    issuer_id: issuer.id,
    public_id: rows.publicId,
    version: SEED.version,
    format: 'png',
    access: rows.access,
  });
  const overlay = await post<{ id: string }>(service, '/overlays', {
    id: rows.overlayId,
    issuer_id: issuer.id,
    public_id: rows.overlayPublicId,
  });
  const { id: keyId, secret } = issuer.key;
  const sign: Tenant['sign'] = (claims = {}) => signWith(secret, { iss: issuer.id, ...claims });
  const path: Tenant['path'] = (claims) => `/images/${image.id}?token=${sign(claims)}`;
  return {
    issuerId: issuer.id,
    keyId,
    secret,
    imageId: image.id,
    overlayId: overlay.id,
    sign: sign,
    path,
    steps: (...transformations) => path({ transformations }),
  };
}

/** A tenant whose public ids no other test uses. */
export function createRandomTenant(service: Service, access?: TenantRows['access']): Promise<Tenant> {
  const name = randomUUID().slice(0, 8);
  return createTenant(service, {
    publicId: `image_${name}`,
    overlayPublicId: `layer_${name}`,
    ...(access === undefined ? {} : { access }),
  });
}

/** Creates the seed's rows. */
export function createSeedTenant(service: Service): Promise<Tenant> {
  return createTenant(service, SEED);
}

/** Signs a payload in the form of the seed's token: HS256, no `kid`, members in their order. */
export function signWith(
  secret: string,
  payload: Readonly<Record<string, unknown>> & { iss: string },
): string {
  return new TokenSigner(new JwtService({})).sign(payload, {
    algorithm: 'HS256',
    secret: createSecretKey(Buffer.from(secret)),
  });
}

/** A write over the admin API that must succeed. */
export async function post<T>(service: Service, path: string, body: unknown): Promise<T> {
  const response = await service.admin('POST', path, body);
  if (response.status !== 201) throw new Error(`POST ${path} failed: ${response.status} ${response.text}`);
  return response.json() as T;
}
