import { createHmac, createPublicKey, verify } from 'node:crypto';
import { type AllowedLocation, assertLocation, type ParsedLocation } from '../location-parser.js';
import {
  baseChainOf,
  boundImages,
  type Claims,
  formatOf,
  isIssuedBefore,
  layerOf,
  type ReferenceModel,
  settingsOf,
  sizeLimitOf,
} from './reference-model.js';
import type { ModelPolicy, ModelPublicKey } from './rows.js';

/** A request for an image: what its response may show follows from it and the rows alone. */
export interface ImageRequest {
  /** The path's last segment, decoded. */
  readonly pathId: string;
  readonly token?: string | undefined;
}

/**
 * Checks the Location of a response against the rows: image, overlays, base chain, number of steps, watermark, limit.
 * @param allowed The prefix of the Location, and how the account signs.
 * @throws if the token is signed by no known key or revoked, or if the Location shows anything that is not allowed.
 */
export function assertAllowed(
  model: ReferenceModel,
  location: string,
  { pathId, token }: ImageRequest,
  allowed: Omit<AllowedLocation, 'layers' | 'images'>,
): ParsedLocation {
  const fault = (reason: string): Error => new Error(`${reason}: ${location}`);
  const claims = token === undefined ? null : readSignedClaims(model, token);
  if (claims === undefined) throw fault('signed by no known key');
  const signer = model.issuers.get(String(claims?.['iss']));
  const bound = claims === null ? undefined : boundImages(claims, signer?.policy ?? {});
  const imageId = (typeof bound === 'string' ? bound : pathId).toLowerCase();
  if (Array.isArray(bound) && !bound.some((id) => String(id).toLowerCase() === imageId)) {
    throw fault('bound to other images');
  }
  const image = model.findShown(imageId);
  if (image === undefined) throw fault('no image of that id');
  const issuer = model.issuers.get(image.issuer_id);
  if (issuer === undefined || issuer.disabled) throw fault('a deleted or disabled issuer');
  if (claims === null ? image.access !== 'public' : image.issuer_id !== claims['iss']) {
    throw fault('an image of another issuer');
  }
  const notBefores = [issuer.not_before, model.findRegistered(imageId)?.not_before ?? null];
  if (
    claims !== null &&
    (model.isRevoked(claims) || notBefores.some((each) => isIssuedBefore(claims, each)))
  ) {
    throw fault('revoked');
  }
  const parsed = assertLocation(location, {
    ...allowed,
    images: [encodeURIComponent(image.public_id).replaceAll('%2F', '/').replaceAll('%3A', ':')],
    layers: [...model.overlays.values()]
      .filter(({ id }) => model.isVisible(id, image.issuer_id))
      .map(layerOf),
  });
  if (parsed.deliveryType !== image.delivery_type) throw fault('another delivery type');
  if (parsed.version !== String(image.version)) throw fault('another version');
  if (parsed.format !== formatOf(issuer, image)) throw fault('another format');
  const { policy } = issuer;
  const base = baseChainOf(policy, claims);
  if (parsed.components.slice(0, base.length).join('/') !== base.join('/')) throw fault('another base chain');
  const limit = sizeLimitOf(policy);
  const unlimited = parsed.components.slice(0, parsed.components.length - limit.length);
  if (parsed.components.slice(unlimited.length).join('/') !== limit.join('/')) throw fault('no size limit');
  const mandatory = policy.mandatory_steps ?? [];
  if (unlimited.length > base.length + maxSteps(claims, policy) + mandatory.length) {
    throw fault('more steps than the token requests');
  }
  const last = unlimited.slice(unlimited.length - mandatory.length);
  for (const [index, { overlay }] of mandatory.entries()) {
    const row = typeof overlay === 'string' ? model.overlays.get(overlay.toLowerCase()) : undefined;
    if (row !== undefined && !last[index]?.split(',').includes(`l_${layerOf(row)}`)) {
      throw fault('no watermark');
    }
  }
  return parsed;
}

/** The claims of a token that a key of its issuer signed; undefined for any other token. */
function readSignedClaims(model: ReferenceModel, token: string): Claims | undefined {
  const [header = '', payload = '', signature = '', ...rest] = token.split('.');
  if (rest.length > 0) return undefined;
  try {
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as Claims;
    const issuer = model.findIssuer(claims['iss']);
    if (issuer === undefined) return undefined;
    const isSigned =
      model
        .keysOf(issuer.id)
        .some(({ secret }) =>
          ['sha256', 'sha384', 'sha512'].some(
            (hash) =>
              createHmac(hash, secret).update(`${header}.${payload}`).digest('base64url') === signature,
          ),
        ) || model.publicKeysOf(issuer.id).some((key) => isSignedBy(key, `${header}.${payload}`, signature));
    return isSigned ? { ...claims, iss: issuer.id } : undefined;
  } catch {
    return undefined;
  }
}

function isSignedBy(
  { algorithm, public_key: pem }: ModelPublicKey,
  input: string,
  signature: string,
): boolean {
  const key = { key: createPublicKey(pem), dsaEncoding: 'ieee-p1363' } as const;
  // 6 is RSA_PKCS1_PSS_PADDING.
  const padded = algorithm === 'PS256' ? { ...key, padding: 6 } : key;
  return verify(
    algorithm === 'EdDSA' ? null : 'sha256',
    Buffer.from(input),
    padded,
    Buffer.from(signature, 'base64url'),
  );
}

function maxSteps(claims: Claims | null, { presets = {} }: ModelPolicy): number {
  if (claims === null) return 1;
  const steps = claims['transformations'];
  return settingsOf(claims).original === true || !Array.isArray(steps)
    ? 0
    : (steps as readonly ({ preset?: unknown } | null)[]).reduce((count, step) => {
        const preset = typeof step?.preset === 'string' ? presets[step.preset] : undefined;
        return count + (preset?.length ?? 1);
      }, 0);
}
