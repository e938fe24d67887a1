import { createHmac } from 'node:crypto';
import type { Answer } from './http.js';
import { approveLocation, type Approval, type ParsedLocation } from './location-parser.js';

interface Row {
  readonly id: string;
  readonly issuer_id: string;
  readonly public_id: string;
  readonly delivery_type: string;
}

interface ImageRow extends Row {
  readonly version: number;
  readonly access: string;
  readonly not_before: string | null;
}

interface Revocation {
  readonly id: string;
  readonly issuer_id: string;
  readonly jti: string | null;
  readonly session_id: string | null;
}

interface Issuer {
  readonly disabled: boolean;
  readonly delivery_format: string;
  readonly not_before: string | null;
  readonly policy: PolicyRow;
  /** By the key's id. */
  readonly secrets: Map<string, string>;
}

/** What of a policy shows in a Location. */
interface PolicyRow {
  readonly base_chain?: readonly string[];
  readonly mandatory_steps?: readonly { readonly overlay?: unknown }[];
  readonly presets?: Readonly<Record<string, readonly unknown[]>>;
  readonly placeholder?: string;
  readonly max_width?: number;
  readonly max_height?: number;
  readonly claims?: string;
}

/** A request for an image: what it may be answered with follows from it alone. */
export interface Asked {
  /** The path's last segment, decoded. */
  readonly pathId: string;
  readonly token?: string | undefined;
}

type Claims = Readonly<Record<string, unknown>>;

/**
 * What the service was ever given by its admin API, written down beside it: so the tests know, without the code
 * under test, what a Location may show and which tokens are good.
 */
export class Holdings {
  private readonly issuers = new Map<string, Issuer>();
  private readonly images = new Map<string, ImageRow>();
  private readonly overlays = new Map<string, Row>();
  private readonly revocations = new Map<string, Revocation>();
  /** Ids of images that were deleted. */
  private readonly deleted = new Map<string, ImageRow>();

  /** @param signing How the account signs. */
  constructor(private readonly signing: Pick<Approval, 'signature' | 'authTokenKey'> = {}) {}

  /** Writes down what an answer of the admin API did. */
  note(method: string, path: string, answer: Answer): void {
    if (method === 'GET' || answer.status < 200 || answer.status > 204) return;
    const [, revocation] = /^\/issuers\/[^/?]+\/revocations(?:\/([^/?]+))?$/.exec(path) ?? [];
    if (revocation !== undefined) {
      this.revocations.delete(revocation);
      return;
    }
    if (path.endsWith('/revocations')) {
      const made = answer.json() as Revocation;
      this.revocations.set(made.id, made);
      return;
    }
    const [, kind = '', id = '', keys, keyId = ''] =
      /^\/(issuers|images|overlays)(?:\/([^/?]+))?(\/keys)?(?:\/([^/?]+))?$/.exec(path) ?? [];
    if (kind === '') return;
    const row = answer.status === 204 ? null : (answer.json() as { id: string });
    if (keys !== undefined) {
      const secrets = this.issuers.get(id)?.secrets;
      if (row === null) secrets?.delete(keyId);
      else if ('secret' in row) secrets?.set(row.id, String(row.secret));
    } else if (kind === 'issuers') {
      this.noteIssuer(id, row as (Issuer & { id: string; key?: { id: string; secret: string } }) | null);
    } else {
      const rows: Map<string, Row> = kind === 'images' ? this.images : this.overlays;
      if (row === null) {
        const gone = this.images.get(id);
        if (kind === 'images' && gone !== undefined) this.deleted.set(id, gone);
        rows.delete(id);
      } else rows.set(row.id, row as Row);
    }
  }

  private noteIssuer(
    id: string,
    row: (Issuer & { id: string; key?: { id: string; secret: string } }) | null,
  ): void {
    if (row === null) {
      this.issuers.delete(id);
      return;
    }
    const secrets = this.issuers.get(row.id)?.secrets ?? new Map<string, string>();
    if (row.key !== undefined) secrets.set(row.key.id, row.key.secret);
    const { disabled, delivery_format, not_before, policy } = row;
    this.issuers.set(row.id, { disabled, delivery_format, not_before, policy, secrets });
  }

  /**
   * Approves a Location that a request was answered with.
   * @param prefix What must stand before the signed URL.
   * @throws where the token is not a good one, or the Location shows anything but what it may.
   */
  approve(location: string, { pathId, token }: Asked, prefix: string): ParsedLocation {
    const fault = (reason: string): Error => new Error(`${reason}: ${location}`);
    const claims = token === undefined ? null : this.openToken(token);
    if (claims === undefined) throw fault('sealed by nobody');
    const signer = this.issuers.get(String(claims?.['iss']));
    const named = claims?.['image_id'];
    const otherNames = signer?.policy.claims === 'sharinpix' ? [claims?.['id'], claims?.['Id']] : [];
    const listed = [named, ...otherNames].find((each) => each !== undefined);
    const imageId = (typeof listed === 'string' ? listed : pathId).toLowerCase();
    if (Array.isArray(listed) && !listed.some((id) => String(id).toLowerCase() === imageId)) {
      throw fault('bound to other images');
    }
    const image = this.images.get(imageId) ?? this.placeholderOf(imageId);
    if (image === undefined) throw fault('no image of that id');
    const issuer = this.issuers.get(image.issuer_id);
    if (issuer === undefined || issuer.disabled) throw fault('an issuer that is gone');
    if (claims === null ? image.access !== 'public' : image.issuer_id !== claims['iss']) {
      throw fault('an image of somebody else');
    }
    const asked = this.images.get(imageId) ?? this.deleted.get(imageId);
    if (claims !== null && this.isOver(claims, [issuer.not_before, asked?.not_before ?? null]))
      throw fault('revoked');
    const parsed = approveLocation(location, {
      ...this.signing,
      prefix,
      images: [encodeURIComponent(image.public_id).replaceAll('%2F', '/').replaceAll('%3A', ':')],
      layers: [...this.overlays.values()]
        .filter(({ issuer_id }) => issuer_id === image.issuer_id)
        .map(layerOf),
    });
    if (parsed.deliveryType !== image.delivery_type) throw fault('of another type');
    if (parsed.version !== String(image.version)) throw fault('of another version');
    if (parsed.format !== issuer.delivery_format) throw fault('of another format');
    const { policy } = issuer;
    const base = baseOf(claims, policy);
    if (parsed.components.slice(0, base.length).join('/') !== base.join('/')) throw fault('another base');
    const mandatory = policy.mandatory_steps ?? [];
    const limit = sizeLimitOf(policy);
    const before = parsed.components.slice(0, parsed.components.length - limit.length);
    if (parsed.components.slice(before.length).join('/') !== limit.join('/'))
      throw fault('not under its limit');
    const most = base.length + mostSteps(claims, policy) + mandatory.length;
    if (before.length > most) throw fault('more steps than were requested');
    const last = before.slice(before.length - mandatory.length);
    for (const [index, { overlay }] of mandatory.entries()) {
      const row = typeof overlay === 'string' ? this.overlays.get(overlay.toLowerCase()) : undefined;
      const shows = row === undefined ? '' : `l_${layerOf(row)}`;
      if (shows !== '' && !last[index]?.split(',').includes(shows)) throw fault('not under its watermark');
    }
    return parsed;
  }

  /** Whether an operator has ended a token before its time. */
  private isOver(claims: Claims, notBefores: readonly (string | null)[]): boolean {
    const { iss, iat, jti, session_id } = claims;
    return (
      notBefores.some(
        (moment) => moment !== null && (typeof iat !== 'number' || iat * 1000 < Date.parse(moment)),
      ) ||
      [...this.revocations.values()].some(
        (each) =>
          each.issuer_id === iss && (each.jti === null ? each.session_id === session_id : each.jti === jti),
      )
    );
  }

  /** What is shown for an image that was deleted. */
  private placeholderOf(imageId: string): ImageRow | undefined {
    const gone = this.deleted.get(imageId);
    const placeholder = gone && this.issuers.get(gone.issuer_id)?.policy.placeholder;
    const image = placeholder === undefined ? undefined : this.images.get(placeholder);
    return image?.issuer_id === gone?.issuer_id ? image : undefined;
  }

  /** The claims of a token that a live secret of its issuer seals; undefined for any other. */
  private openToken(token: string): Claims | undefined {
    const [header = '', payload = '', mac = '', ...rest] = token.split('.');
    if (rest.length > 0) return undefined;
    try {
      const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as Claims;
      const secrets = this.issuers.get(String(claims['iss']))?.secrets.values() ?? [];
      const sealed = [...secrets].some((secret) =>
        ['sha256', 'sha384', 'sha512'].some(
          (hash) => createHmac(hash, secret).update(`${header}.${payload}`).digest('base64url') === mac,
        ),
      );
      return sealed ? claims : undefined;
    } catch {
      return undefined;
    }
  }
}

/** An overlay as it stands in a layer, percent-encoded. */
function layerOf({ delivery_type, public_id }: Row): string {
  const id = public_id
    .split('/')
    .map((folder) => encodeURIComponent(folder.replaceAll(',', '%2C')))
    .join(':');
  return delivery_type === 'upload' ? id : `${delivery_type}:${id}`;
}

type Settings = Readonly<Record<'download' | 'original' | 'full_size' | 'filename', unknown>>;

function settingsOf(claims: Claims | null): Partial<Settings> {
  return (claims?.['sharinpix'] as object | null | undefined) ?? {};
}

const DEFAULT_BASE = ['c_fit,h_1920,w_1920', 'fl_attachment', 'dpr_auto,q_auto,f_auto'];

/**
 * The components before the token's own. Tests write the attachment as a component of its own, and names of files
 * without anything that Pixseal would replace.
 */
function baseOf(claims: Claims | null, policy: PolicyRow): readonly string[] {
  const { base_chain: chain = DEFAULT_BASE, claims: profile, max_width: width, max_height: height } = policy;
  const { download, original, full_size: full, filename } = settingsOf(claims);
  const likeSharinPix = profile === 'sharinpix';
  const isFull = likeSharinPix && full === true && width === undefined && height === undefined;
  const name = likeSharinPix && typeof filename === 'string' ? `:${filename.replace(/\.\w+$/, '')}` : '';
  return chain
    .slice(isFull && original !== true ? 1 : 0)
    .filter((component) => (component === 'fl_attachment' ? download !== false : original !== true))
    .map((component) => (component === 'fl_attachment' ? component + name : component));
}

function mostSteps(claims: Claims | null, { presets = {} }: PolicyRow): number {
  if (claims === null) return 1;
  const steps = claims['transformations'];
  return settingsOf(claims).original === true || !Array.isArray(steps)
    ? 0
    : (steps as readonly ({ preset?: unknown } | null)[]).reduce((count, step) => {
        const preset = typeof step?.preset === 'string' ? presets[step.preset] : undefined;
        return count + (preset?.length ?? 1);
      }, 0);
}

/** The component by which a policy limits the size, as a list of one; empty where it does not. */
function sizeLimitOf({ max_width: width, max_height: height }: Issuer['policy']): readonly string[] {
  const sides = [
    ...(height === undefined ? [] : [`h_${height}`]),
    ...(width === undefined ? [] : [`w_${width}`]),
  ];
  return sides.length === 0 ? [] : [['c_limit', ...sides].join(',')];
}
