import type { HttpResponse } from '../http.js';
import { DEFAULT_BASE_CHAIN } from '../location-parser.js';
import type {
  ModelAsset,
  ModelImage,
  ModelIssuer,
  ModelKey,
  ModelOverlay,
  ModelPolicy,
  ModelPublicKey,
  ModelRevocation,
} from './rows.js';

/** The claims of a token, as its payload has them. */
export type Claims = Readonly<Record<string, unknown>>;

/**
 * The service's rows in a few maps, and what follows from them for a redirect. Written from the documentation, without
 * the code under test: `assertAllowed`, `predict` and `AdminModel` build on it.
 */
export class ReferenceModel {
  readonly issuers = new Map<string, ModelIssuer>();
  readonly keys = new Map<string, ModelKey>();
  /** Keys without a secret; tests add those of a JWKS. */
  readonly publicKeys = new Map<string, ModelPublicKey>();
  readonly images = new Map<string, ModelImage>();
  /** Images that return 410, until their issuer is deleted. */
  readonly deletedImages = new Map<string, ModelImage>();
  readonly overlays = new Map<string, ModelOverlay>();
  readonly revocations = new Map<string, ModelRevocation>();

  /** Applies a response of the admin API to the rows. */
  record(method: string, path: string, response: HttpResponse): void {
    if (method === 'GET' || response.status < 200 || response.status > 204) return;
    const [, collection = '', id = '', nested, nestedId = ''] =
      /^\/(issuers|images|overlays)(?:\/([^/?]+))?(?:\/(keys|revocations|original)(?:\/([^/?]+))?)?$/.exec(
        path,
      ) ?? [];
    if (collection === '') return;
    if (response.status === 204) {
      if (nested === 'revocations') this.revocations.delete(nestedId);
      else if (nested === 'keys') this.removeKey(nestedId);
      else if (collection === 'issuers') this.removeIssuer(id);
      else if (collection === 'images') this.removeImage(id);
      else this.overlays.delete(id);
      return;
    }
    const row = readRow(response.json() as object);
    if (nested === 'revocations') this.revocations.set(row.id, row as ModelRevocation);
    else if (nested === 'keys') this.recordKey(id, row);
    else if (collection === 'images') this.images.set(row.id, row as ModelImage);
    else if (collection === 'overlays') this.overlays.set(row.id, row as ModelOverlay);
    else {
      this.issuers.set(row.id, row as ModelIssuer);
      const { key } = row as { key?: object };
      if (key !== undefined) this.recordKey(row.id, readRow(key));
    }
  }

  /** The issuer of a token: its `iss` is the id, or an alias. */
  findIssuer(iss: unknown): ModelIssuer | undefined {
    const aliased = [...this.issuers.values()].find((issuer) => issuer.iss_aliases?.includes(String(iss)));
    return this.issuers.get(String(iss)) ?? aliased;
  }

  publicKeysOf(issuerId: string): readonly ModelPublicKey[] {
    return [...this.publicKeys.values()].filter((key) => key.issuer_id === issuerId);
  }

  keysOf(issuerId: string): readonly ModelKey[] {
    return [...this.keys.values()].filter((key) => key.issuer_id === issuerId);
  }

  overlaysOf(issuerId: string): readonly ModelOverlay[] {
    return [...this.overlays.values()].filter((row) => row.issuer_id === issuerId);
  }

  /** Whether an issuer's policy may use an overlay: its own, or one that another issuer shares. */
  isVisible(overlayId: string, issuerId: string): boolean {
    const row = this.overlays.get(overlayId);
    return row !== undefined && (row.issuer_id === issuerId || row.shared);
  }

  revocationsOf(issuerId: string): readonly ModelRevocation[] {
    return [...this.revocations.values()].filter((row) => row.issuer_id === issuerId);
  }

  /** The image as it is registered, or was before it was deleted. */
  findRegistered(imageId: string): ModelImage | undefined {
    return this.images.get(imageId) ?? this.deletedImages.get(imageId);
  }

  /** The image that a redirect shows: itself, or its issuer's placeholder once it is deleted. */
  findShown(imageId: string): ModelImage | undefined {
    const deleted = this.deletedImages.get(imageId);
    if (deleted === undefined || this.images.has(imageId)) return this.images.get(imageId);
    const placeholder = this.images.get(this.issuers.get(deleted.issuer_id)?.policy.placeholder ?? '');
    return placeholder?.issuer_id === deleted.issuer_id ? placeholder : undefined;
  }

  /** Whether an operator has revoked the token itself or its session. */
  isRevoked({ iss, jti, session_id }: Claims): boolean {
    return this.revocationsOf(String(iss)).some((each) =>
      each.jti === null ? each.session_id === session_id : each.jti === jti,
    );
  }

  /** Deletes an issuer with its keys, revocations and deleted images. */
  protected removeIssuer(id: string): void {
    this.issuers.delete(id);
    for (const rows of [this.keys, this.publicKeys, this.deletedImages, this.revocations]) {
      for (const row of rows.values()) if (row.issuer_id === id) rows.delete(row.id);
    }
  }

  protected removeImage(id: string): void {
    const image = this.images.get(id);
    if (image !== undefined) this.deletedImages.set(id, image);
    this.images.delete(id);
  }

  private removeKey(id: string): void {
    this.keys.delete(id);
    this.publicKeys.delete(id);
  }

  /** A key's secret is in the response that creates it alone. */
  private recordKey(issuerId: string, row: { readonly id: string }): void {
    const key = { ...this.keys.get(row.id), ...row, issuer_id: issuerId };
    if ('public_key' in key && key.public_key !== null) {
      this.publicKeys.set(row.id, key as unknown as ModelPublicKey);
    } else if ('secret' in key) this.keys.set(row.id, key as unknown as ModelKey);
  }
}

/** Whether a token was issued before the instant from which tokens are accepted, or has no `iat` to compare. */
export function isIssuedBefore({ iat }: Claims, notBefore: number | null): boolean {
  return notBefore !== null && (typeof iat !== 'number' || iat < notBefore);
}

/** The ids that a token is bound to, a string or a list; undefined for a token without such a claim. */
export function boundImages(claims: Claims, { claims: profile }: ModelPolicy): unknown {
  const names = profile === 'sharinpix' ? ['image_id', 'id', 'Id'] : ['image_id'];
  return names.map((name) => claims[name]).find((value) => value !== undefined);
}

interface Settings {
  readonly download?: unknown;
  readonly original?: unknown;
  readonly full_size?: unknown;
  readonly filename?: unknown;
}

/** The token's `sharinpix` claim; empty without one. */
export function settingsOf(claims: Claims | null): Settings {
  return (claims?.['sharinpix'] as Settings | null | undefined) ?? {};
}

/**
 * The components before the token's own steps. Tests write `fl_attachment` as a separate component, and file names
 * without a character that Pixseal replaces.
 * @param claims Null without a token.
 */
export function baseChainOf(policy: ModelPolicy, claims: Claims | null): readonly string[] {
  const { base_chain: chain = DEFAULT_BASE_CHAIN, claims: profile } = policy;
  const { download, original, full_size: full, filename } = settingsOf(claims);
  const likeSharinPix = profile === 'sharinpix';
  const isFull = likeSharinPix && full === true && sizeLimitOf(policy).length === 0;
  const name = likeSharinPix && typeof filename === 'string' ? `:${filename.replace(/\.\w+$/, '')}` : '';
  return chain
    .slice(isFull && original !== true ? 1 : 0)
    .filter((component) => (component === 'fl_attachment' ? download !== false : original !== true))
    .map((component) => (component === 'fl_attachment' ? component + name : component));
}

/** The extension of an image's URL; null if it is unknown. */
export function formatOf({ delivery_format: format }: ModelIssuer, image: ModelImage): string | null {
  return format === 'original' ? image.format : format;
}

/** The last component, by which a policy limits the size, as a list of one; empty without a limit. */
export function sizeLimitOf({ max_width: width, max_height: height }: ModelPolicy): readonly string[] {
  const sides = [
    ...(height === undefined ? [] : [`h_${height}`]),
    ...(width === undefined ? [] : [`w_${width}`]),
  ];
  return sides.length === 0 ? [] : [['c_limit', ...sides].join(',')];
}

/** An overlay's asset as a layer writes it, percent-encoded. */
export function layerOf({ delivery_type, public_id }: ModelAsset): string {
  const id = public_id
    .split('/')
    .map((folder) => encodeURIComponent(folder.replaceAll(',', '%2C')))
    .join(':');
  return delivery_type === 'upload' ? id : `${delivery_type}:${id}`;
}

const TIMES = new Set(['not_before', 'not_after', 'expires_at']);

/** A row of the admin API, with times in seconds since 1970. */
function readRow(body: object): { readonly id: string } {
  return Object.fromEntries(
    Object.entries(body).map(([name, value]: [string, unknown]) => [
      name,
      TIMES.has(name) && typeof value === 'string' ? Date.parse(value) / 1000 : value,
    ]),
  ) as { id: string };
}
