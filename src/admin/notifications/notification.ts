import { isObject } from '../../domain/is-object.js';
import { InvalidRequestError } from '../../domain/request.errors.js';
import { DELIVERY_TYPES, MAX_VERSION, type DeliveryType } from '../../domain/image.js';
import type { AssetFacts } from '../../domain/registration-rule.js';

/** Assets of one notification. */
const MAX_ASSETS = 1_000;
/** Code points of a public id. */
const MAX_PUBLIC_ID = 255;
/** Resource type and type in a delivery URL. */
const ASSET_URL = /\/(image|video|raw)\/(upload|private|authenticated)\//;

/** An image's name in Cloudinary; its public id may not be registrable here. */
export interface AssetName {
  readonly deliveryType: DeliveryType;
  readonly publicId: string;
}

/** A new original. */
export interface Uploaded {
  readonly name: AssetName;
  readonly version: number;
  readonly format: string | null;
  readonly facts: AssetFacts;
  /** The asset's folder, independent of its public id; null in accounts without dynamic folders. */
  readonly assetFolder: string | null;
  /** The outcome of its moderation: false without one, null while it is pending. */
  readonly rejected: boolean | null;
  /** Whether Cloudinary's access control restricts it. */
  readonly restricted: boolean;
}

/** An asset's new folder, without slashes at its ends. */
export interface Moved {
  readonly name: AssetName;
  readonly folder: string;
}

/** What happened in the account; `other` is ignored. */
export type AccountEvent =
  | ({ readonly type: 'upload' } & Uploaded)
  | { readonly type: 'delete'; readonly names: readonly AssetName[] }
  | { readonly type: 'rename'; readonly from: AssetName; readonly to: AssetName }
  | { readonly type: 'move'; readonly moved: readonly Moved[] }
  | { readonly type: 'move_folder'; readonly from: string; readonly to: string }
  | { readonly type: 'moderate'; readonly names: readonly AssetName[]; readonly rejected: boolean }
  | { readonly type: 'restrict'; readonly names: readonly AssetName[] }
  | { readonly type: 'other' };

/** An event and its time, in milliseconds. */
export interface Notification {
  readonly at: Date;
  readonly event: AccountEvent;
}

type Members = Readonly<Record<string, unknown>>;

/**
 * Parses a verified notification. Assets that cannot have a row (videos, fetched images) are `other`, or omitted.
 * @param sentAt Unix seconds of `X-Cld-Timestamp`: no event is later.
 * @throws InvalidRequestError (422) for a body that does not have the form of its `notification_type`.
 */
export function readNotification(body: string, sentAt: number): Notification {
  const members = readObject(body);
  return { at: readTime(members, sentAt * 1_000 + 999), event: readEvent(members) };
}

function readEvent(members: Members): AccountEvent {
  switch (members['notification_type']) {
    case 'upload':
      return readUpload(members);
    case 'delete': {
      const { resources } = members;
      if (!Array.isArray(resources) || resources.length > MAX_ASSETS) {
        throw fault('resources', `must be a list of at most ${MAX_ASSETS} assets`);
      }
      const names = resources.map((asset) => findName(isObject(asset) ? asset : {}, 'public_id'));
      return { type: 'delete', names: names.filter((name) => name !== null) };
    }
    case 'rename': {
      const from = findName(members, 'from_public_id');
      const to = findName(members, 'to_public_id');
      return from === null || to === null ? { type: 'other' } : { type: 'rename', from, to };
    }
    case 'move':
      return readMove(members);
    case 'move_or_rename_asset_folder': {
      const [from, to] = [readFolder(members, 'from_path'), readFolder(members, 'to_path')];
      return { type: 'move_folder', from, to };
    }
    case 'moderation':
    case 'moderation_summary': {
      const rejected = readOutcome(members);
      if (rejected === null) return { type: 'other' };
      return { type: 'moderate', names: findNames(members, rejected), rejected };
    }
    case 'access_control_changed': {
      const restricted = readResources(members).filter(isRestricted);
      return { type: 'restrict', names: restricted.flatMap((asset) => findNames(asset, true)) };
    }
    default:
      return { type: 'other' };
  }
}

function readUpload(members: Members): AccountEvent {
  const name = findName(members, 'public_id');
  if (name === null) return { type: 'other' };
  const { version, format, asset_folder: assetFolder, context, metadata, access_control: access } = members;
  if (typeof version !== 'number' || !Number.isInteger(version) || version < 1 || version > MAX_VERSION) {
    throw fault('version', `must be a whole number from 1 to ${MAX_VERSION}`);
  }
  const folder = typeof assetFolder === 'string' ? trimSlashes(assetFolder) : null;
  const path = name.publicId.split('/').slice(0, -1).join('/');
  const custom = isObject(context) ? context['custom'] : undefined;
  return {
    type: 'upload',
    name,
    version,
    format: typeof format === 'string' && /^[a-z0-9]{1,10}$/.test(format) ? format : null,
    facts: {
      folder: folder ?? path,
      context: isObject(custom) ? custom : {},
      metadata: isObject(metadata) ? metadata : {},
    },
    assetFolder: folder,
    rejected: (members['moderation'] ?? null) === null ? false : readOutcome(members),
    restricted: access !== undefined && access !== null && isRestricted(members),
  };
}

/** The changed folders of assets: `resources` has them by public id. Source: Cloudinary, "Notifications", `move`. */
function readMove(members: Members): AccountEvent {
  const moved: Moved[] = [];
  for (const asset of readResources(members)) {
    const { to_asset_folder: folder } = asset;
    if (typeof folder !== 'string') throw fault('resources', 'must contain each asset’s to_asset_folder');
    const name = findName(asset, 'public_id');
    if (name !== null) moved.push({ name, folder: trimSlashes(folder) });
  }
  return { type: 'move', moved };
}

/**
 * Assets of a notification whose `resources` is a list or an object by public id, as it is in several of Cloudinary's
 * types; without `resources` the notification itself is the asset.
 */
function readResources(members: Members): Members[] {
  const { resources = [members] } = members;
  const assets = Array.isArray(resources)
    ? resources.filter(isObject)
    : Object.entries(isObject(resources) ? resources : {}).map(([publicId, asset]) => ({
        public_id: publicId,
        ...(isObject(asset) ? asset : {}),
      }));
  if (assets.length > MAX_ASSETS) throw fault('resources', `must have at most ${MAX_ASSETS} assets`);
  return assets;
}

/**
 * The outcome of a moderation; null for none yet. `moderation_status` is the asset's; `moderation` has one of each kind,
 * of which one rejection rejects the asset.
 */
function readOutcome({ moderation_status: status, moderation }: Members): boolean | null {
  const kinds = Array.isArray(moderation)
    ? moderation.map((kind: unknown) => (isObject(kind) ? kind['status'] : kind))
    : [null];
  const statuses = typeof status === 'string' ? [status] : kinds;
  if (statuses.includes('rejected')) return true;
  return statuses.every((each) => each === 'approved') ? false : null;
}

/** Whether some clients may not see an asset. Restricted is also what cannot be understood. */
function isRestricted({ access_control: rules }: Members): boolean {
  if (!Array.isArray(rules)) return true;
  const isOpen = (rule: unknown): boolean =>
    isObject(rule) && rule['access_type'] === 'anonymous' && rule['start'] == null && rule['end'] == null;
  return rules.length > 0 && !rules.some(isOpen);
}

/**
 * The names of an asset whose type and resource type may be absent; they are then those in its URL. No name for an asset
 * that cannot have a row.
 * @param all Whether all types are meant if there is no type: an effect that hides is safe, one that shows is not.
 */
function findNames(asset: Members, all: boolean): AssetName[] {
  const { public_id: publicId, secure_url: secure, url = secure } = asset;
  if (typeof publicId !== 'string') return [];
  const [, urlResource, urlType] = ASSET_URL.exec(typeof url === 'string' ? url : '') ?? [];
  const { resource_type: resourceType = urlResource ?? 'image', type = urlType } = asset;
  const types = type !== undefined ? [type] : all ? DELIVERY_TYPES : [];
  return types
    .map((each) => findName({ public_id: publicId, resource_type: resourceType, type: each }, 'public_id'))
    .filter((name) => name !== null);
}

function readFolder(members: Members, key: 'from_path' | 'to_path'): string {
  const path = members[key];
  const folder = typeof path === 'string' ? trimSlashes(path) : '';
  if (folder === '') throw fault(key, 'must be a folder');
  return folder;
}

const trimSlashes = (path: string): string => path.replaceAll(/^\/+|\/+$/g, '');

/** The asset's name; null if the asset cannot have a row. @throws InvalidRequestError (422) without a name. */
function findName(members: Members, key: string): AssetName | null {
  const { [key]: publicId, resource_type: resourceType, type } = members;
  if (typeof publicId !== 'string') throw fault(key, 'must be a public id');
  const deliveryType = DELIVERY_TYPES.find((known) => known === type);
  if (resourceType !== 'image' || deliveryType === undefined) return null;
  // Neither Cloudinary nor the database accepts such text.
  if (
    publicId === '' ||
    Array.from(publicId).length > MAX_PUBLIC_ID ||
    publicId.includes('\0') ||
    /\p{Cs}/u.test(publicId)
  ) {
    throw fault(key, `must have 1 to ${MAX_PUBLIC_ID} characters, without NUL or half a surrogate pair`);
  }
  return { deliveryType, publicId };
}

/** When it happened: Cloudinary reports milliseconds, for some types seconds. */
function readTime(members: Members, latest: number): Date {
  const { notification_context: context, timestamp, moderation_updated_at: moderatedAt } = members;
  const text = (isObject(context) ? context['triggered_at'] : undefined) ?? timestamp ?? moderatedAt;
  const at = typeof text === 'string' ? Date.parse(text) : Number.NaN;
  return new Date(Number.isNaN(at) ? latest : Math.max(0, Math.min(at, latest)));
}

function readObject(body: string): Members {
  let parsed: unknown;
  try {
    parsed = JSON.parse(body);
  } catch {
    parsed = null;
  }
  if (isObject(parsed)) return parsed;
  throw fault('body', 'must be a JSON object');
}

function fault(key: string, detail: string): InvalidRequestError {
  return new InvalidRequestError([{ key, detail }]);
}
