import { isObject } from '../../domain/is-object.js';
import { InvalidRequestError } from '../../domain/request.errors.js';
import { DELIVERY_TYPES, MAX_VERSION, type DeliveryType } from '../../domain/image.js';
import { trimSlashes } from '../../domain/trim-slashes.js';
import type { AssetFacts } from '../../domain/registration-rule.js';

/** Assets of one notification. */
const MAX_ASSETS = 1_000;
/** Code points of a public id. */
const MAX_PUBLIC_ID = 255;
/** Code points of a folder's path. */
const MAX_FOLDER = 1_024;
/** Seconds that a version may be later than the notification. */
const MAX_VERSION_AHEAD = 86_400;
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
  const latest = sentAt * 1_000 + 999;
  const time = readTime(members);
  const event = readEvent(members, sentAt);
  // An approval of unknown time could be older than a rejection.
  const isUndated = time === null && event.type === 'moderate' && !event.rejected;
  return {
    at: new Date(Math.max(0, Math.min(time ?? latest, latest))),
    event: isUndated ? { type: 'other' } : event,
  };
}

function readEvent(members: Members, sentAt: number): AccountEvent {
  switch (members['notification_type']) {
    case 'upload':
      return readUpload(members, sentAt);
    case 'delete': {
      const { resources } = members;
      if (!Array.isArray(resources) || resources.length > MAX_ASSETS) {
        throw fault('resources', `must be a list of at most ${MAX_ASSETS} assets`);
      }
      const names = resources.map((asset) => findName(isObject(asset) ? asset : {}, 'public_id'));
      return { type: 'delete', names: withoutDuplicates(names.filter((name) => name !== null)) };
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
      const assets = readResources(members);
      if (assets.some((asset) => typeof asset['public_id'] !== 'string')) {
        throw fault('resources', 'must contain each asset’s public_id');
      }
      const names = assets.filter(isRestricted).flatMap((asset) => findNames(asset, true));
      return { type: 'restrict', names: withoutDuplicates(names) };
    }
    default:
      return { type: 'other' };
  }
}

function readUpload(members: Members, sentAt: number): AccountEvent {
  const name = findName(members, 'public_id');
  if (name === null) return { type: 'other' };
  const { version, format, asset_folder: assetFolder, context, metadata, access_control: access } = members;
  if (typeof version !== 'number' || !Number.isInteger(version) || version < 1 || version > MAX_VERSION) {
    throw fault('version', `must be a whole number from 1 to ${MAX_VERSION}`);
  }
  if (version > sentAt + MAX_VERSION_AHEAD) {
    throw fault('version', `must be at most ${MAX_VERSION_AHEAD} seconds later than X-Cld-Timestamp`);
  }
  const folder = readFolderText(assetFolder);
  const path = name.publicId.split('/').slice(0, -1).join('/');
  const custom = isObject(context) ? context['custom'] : undefined;
  return {
    type: 'upload',
    name,
    version,
    format: typeof format === 'string' && /^[a-z0-9]{1,10}$/.test(format) ? format : null,
    facts: {
      // An asset of an account with dynamic folders is not in the path of its public id.
      folder: folder ?? (typeof assetFolder === 'string' ? '' : path),
      context: isObject(custom) ? custom : {},
      metadata: isObject(metadata) ? metadata : {},
    },
    assetFolder: folder,
    rejected: readStatuses(members).length === 0 ? false : readOutcome(members),
    restricted: access !== undefined && access !== null && isRestricted(members),
  };
}

/** The changed folders of assets: `resources` has them by public id. Source: Cloudinary, "Notifications", `move`. */
function readMove(members: Members): AccountEvent {
  const moved: Moved[] = [];
  for (const asset of readResources(members)) {
    const folder = readFolderText(asset['to_asset_folder']);
    if (folder === null) {
      throw fault('resources', `must contain each asset’s to_asset_folder, ${FOLDER_FORM}`);
    }
    const name = findName(asset, 'public_id');
    if (name !== null) moved.push({ name, folder });
  }
  return { type: 'move', moved };
}

/**
 * Assets of a notification whose `resources` is a list or an object by public id, as it is in several of Cloudinary's
 * types; an asset may be its public id alone. Without `resources` the assets are `public_ids`, or the notification itself.
 */
function readResources(members: Members): Members[] {
  const { public_ids: publicIds = [members], resources = publicIds } = members;
  if (!Array.isArray(resources) && !isObject(resources)) throw fault('resources', 'must contain assets');
  const assets = Array.isArray(resources)
    ? resources.map((asset: unknown) => (isObject(asset) ? asset : { public_id: asset }))
    : Object.entries(resources).map(([publicId, asset]) => ({
        public_id: publicId,
        ...(isObject(asset) ? asset : {}),
      }));
  if (assets.length > MAX_ASSETS) throw fault('resources', `must have at most ${MAX_ASSETS} assets`);
  return assets;
}

/** The outcome of a moderation: one rejection rejects, and every kind must approve; null for none yet. */
function readOutcome(members: Members): boolean | null {
  const statuses = readStatuses(members);
  if (statuses.includes('rejected')) return true;
  return statuses.length > 0 && statuses.every((status) => status === 'approved') ? false : null;
}

/** The statuses of an asset (`moderation_status`) and of each kind of moderation; null for one that is not text. */
function readStatuses({ moderation_status: status, moderation }: Members): (string | null)[] {
  const kinds: unknown[] = Array.isArray(moderation) ? moderation : [moderation];
  return [status, ...kinds]
    .filter((kind) => kind !== undefined && kind !== null)
    .map((kind) => (isObject(kind) ? kind['status'] : kind))
    .map((kind) => (typeof kind === 'string' ? kind.toLowerCase() : null));
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
  const reported = asset['resource_type'] ?? urlResource ?? 'image';
  const resourceType = all && reported !== 'video' && reported !== 'raw' ? 'image' : reported;
  const type = asset['type'] ?? urlType;
  const types = typeof type === 'string' ? [type] : all ? DELIVERY_TYPES : [];
  return types
    .map((each) => findName({ public_id: publicId, resource_type: resourceType, type: each }, 'public_id'))
    .filter((name) => name !== null);
}

function readFolder(members: Members, key: 'from_path' | 'to_path'): string {
  const folder = readFolderText(members[key]);
  if (folder === null || folder === '') throw fault(key, `must be a folder, ${FOLDER_FORM}`);
  return folder;
}

const FOLDER_FORM = `of at most ${MAX_FOLDER} characters, without NUL or half a surrogate pair`;

/** A folder without slashes at its ends; null for what is not a folder's path. */
function readFolderText(path: unknown): string | null {
  if (typeof path !== 'string' || !isText(path)) return null;
  const folder = trimSlashes(path);
  return Array.from(folder).length > MAX_FOLDER ? null : folder;
}

/** Neither Cloudinary nor the database accepts other text. */
const isText = (text: string): boolean => !text.includes('\0') && !/\p{Cs}/u.test(text);

function withoutDuplicates(names: readonly AssetName[]): AssetName[] {
  return [...new Map(names.map((name) => [`${name.deliveryType}/${name.publicId}`, name])).values()];
}

/** The asset's name; null if the asset cannot have a row. @throws InvalidRequestError (422) without a name. */
function findName(members: Members, key: string): AssetName | null {
  const { [key]: publicId, resource_type: resourceType, type } = members;
  if (typeof publicId !== 'string') throw fault(key, 'must be a public id');
  const deliveryType = DELIVERY_TYPES.find((known) => known === type);
  if (resourceType !== 'image' || deliveryType === undefined) return null;
  if (publicId === '' || Array.from(publicId).length > MAX_PUBLIC_ID || !isText(publicId)) {
    throw fault(key, `must have 1 to ${MAX_PUBLIC_ID} characters, without NUL or half a surrogate pair`);
  }
  return { deliveryType, publicId };
}

/** When it happened, in milliseconds; null if no member is a time. Cloudinary rounds some types to seconds. */
function readTime(members: Members): number | null {
  const { notification_context: context, timestamp, moderation_updated_at: moderatedAt } = members;
  const times = [isObject(context) ? context['triggered_at'] : undefined, timestamp, moderatedAt].map(
    (text) => (typeof text === 'string' ? Date.parse(text) : Number.NaN),
  );
  return times.find((time) => !Number.isNaN(time)) ?? null;
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
