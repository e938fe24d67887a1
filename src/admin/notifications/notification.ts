import { isObject } from '../../domain/is-object.js';
import { InvalidRequestError } from '../../domain/request.errors.js';
import { DELIVERY_TYPES, MAX_VERSION, type DeliveryType } from '../../domain/image.js';
import type { AssetFacts } from '../../domain/registration-rule.js';

/** Assets of one `delete`. */
const MAX_DELETED = 1_000;
/** Code points of a public id. */
const MAX_PUBLIC_ID = 255;

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
}

/** What happened in the account; `other` is ignored. */
export type AccountEvent =
  | ({ readonly type: 'upload' } & Uploaded)
  | { readonly type: 'delete'; readonly names: readonly AssetName[] }
  | { readonly type: 'rename'; readonly from: AssetName; readonly to: AssetName }
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
      if (!Array.isArray(resources) || resources.length > MAX_DELETED) {
        throw fault('resources', `must be a list of at most ${MAX_DELETED} assets`);
      }
      const names = resources.map((asset) => findName(isObject(asset) ? asset : {}, 'public_id'));
      return { type: 'delete', names: names.filter((name) => name !== null) };
    }
    case 'rename': {
      const from = findName(members, 'from_public_id');
      const to = findName(members, 'to_public_id');
      return from === null || to === null ? { type: 'other' } : { type: 'rename', from, to };
    }
    default:
      return { type: 'other' };
  }
}

function readUpload(members: Members): AccountEvent {
  const name = findName(members, 'public_id');
  if (name === null) return { type: 'other' };
  const { version, format, asset_folder: assetFolder, context, metadata } = members;
  if (typeof version !== 'number' || !Number.isInteger(version) || version < 1 || version > MAX_VERSION) {
    throw fault('version', `must be a whole number from 1 to ${MAX_VERSION}`);
  }
  const path = name.publicId.split('/').slice(0, -1).join('/');
  const custom = isObject(context) ? context['custom'] : undefined;
  return {
    type: 'upload',
    name,
    version,
    format: typeof format === 'string' && /^[a-z0-9]{1,10}$/.test(format) ? format : null,
    facts: {
      // In accounts with dynamic folders it is independent of the public id.
      folder: typeof assetFolder === 'string' ? assetFolder.replaceAll(/^\/+|\/+$/g, '') : path,
      context: isObject(custom) ? custom : {},
      metadata: isObject(metadata) ? metadata : {},
    },
  };
}

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
function readTime({ notification_context: context, timestamp }: Members, latest: number): Date {
  const text = (isObject(context) ? context['triggered_at'] : undefined) ?? timestamp;
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
