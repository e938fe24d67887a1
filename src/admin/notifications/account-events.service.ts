import { randomUUID } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { type EntityManager, MoreThanOrEqual, Not } from 'typeorm';
import { ENVIRONMENT } from '../../platform/config/config.module.js';
import type { Environment } from '../../platform/config/environment.js';
import type { RowChange } from '../../platform/database/change-feed.js';
import { ImageEntity } from '../../platform/database/entities/image.entity.js';
import { OverlayEntity } from '../../platform/database/entities/overlay.entity.js';
import { writeAssetLayer } from '../../transformations/asset-layer.js';
import { findPublicIdFault } from '../../transformations/public-id.js';
import { RetainedPublicIdEntity } from '../../platform/database/entities/retained-public-id.entity.js';
import { AssetStateEntity } from '../../platform/database/entities/asset-state.entity.js';
import type { AssetName, Notification, Uploaded } from './notification.js';
import { findIssuerOf } from '../../domain/registration-rule.js';

/** The number of renames of one asset that are followed. */
const MAX_MOVES = 32;
/** How long a state without deleted rows is kept: a notification is refused two hours after it was signed. */
const RETENTION = `interval '1 day'`;

type State = AssetStateEntity | null;

/**
 * Applies the account's events to the rows. Per name the latest event wins, in whatever order and however often events
 * are received. The rows of an asset whose public id cannot be registered are deleted until it is renamed to one that
 * can; meanwhile the public id is retained for their issuer. Everything runs in the caller's transaction.
 */
@Injectable()
export class AccountEventsService {
  constructor(@Inject(ENVIRONMENT) private readonly environment: Pick<Environment, 'registrationRules'>) {}

  /** @returns the rows that changed, possibly with duplicates. */
  async apply(rows: EntityManager, { at, event }: Notification): Promise<RowChange[]> {
    if (event.type === 'other') return [];
    // Events are applied one at a time, across processes: each may change several names, in any order.
    await rows.query(
      // A name that the account deletes or renames is not retained for its issuer: the asset no longer exists.
      `SELECT pg_advisory_xact_lock(hashtextextended('cloudinary_assets', 2)),
              set_config('pixseal.account_event', 'on', true)`,
    );
    await prune(rows);
    switch (event.type) {
      case 'upload':
        return this.upload(rows, event, at);
      case 'delete': {
        const changes: RowChange[] = [];
        for (const name of event.names) changes.push(...(await this.delete(rows, name, at)));
        return changes;
      }
      case 'rename':
        return this.rename(rows, event.from, event.to, at);
      default:
        return event satisfies never;
    }
  }

  private async upload(rows: EntityManager, uploaded: Uploaded, at: Date): Promise<RowChange[]> {
    const { name, state } = await follow(rows, uploaded.name, at);
    if (state?.gone && state.at >= at) return [];
    const known = newestOf(uploaded, state);
    const deleted = await findDeleted(rows, state);
    const latest = state === null || state.at < at;
    await put(rows, name, {
      ...known,
      at: latest ? at : state.at,
      movedTo: latest ? null : state.movedTo,
    });
    const image = await rows.findOneBy(ImageEntity, name);
    if (image !== null) return setVersion(rows, image, known);
    if (await rows.existsBy(OverlayEntity, name)) return [];
    if (deleted.image !== null || deleted.overlay !== null) {
      return move(rows, deleted, name, known, { at, gone: false });
    }
    if (!isRegistrable(uploaded.name)) return [];
    return this.register(rows, name, { ...known, facts: uploaded.facts }, at);
  }

  /** Registers an asset without a row, if a rule assigns it to an issuer. */
  private async register(
    rows: EntityManager,
    name: AssetName,
    { version, format, facts }: Pick<Uploaded, 'version' | 'format' | 'facts'>,
    at: Date,
  ): Promise<RowChange[]> {
    const issuerId = findIssuerOf(facts, this.environment.registrationRules);
    if (issuerId === null) return [];
    const deletedSince = await rows.exists(ImageEntity, {
      where: { ...name, deletedAt: MoreThanOrEqual(at) },
      withDeleted: true,
    });
    if (deletedSince) return [];
    const id = randomUUID();
    const deletedAt = isRegistrable(name) ? null : at;
    const image = rows.create(ImageEntity, { id, issuerId, ...name, version, format, deletedAt });
    await rows.insert(ImageEntity, image);
    if (deletedAt === null) return [changeOf('images', image)];
    return move(rows, { image, overlay: null }, name, { version, format }, { at, gone: false });
  }

  private async delete(rows: EntityManager, name: AssetName, at: Date): Promise<RowChange[]> {
    const state = await findState(rows, name);
    const { image, overlay } = await findLive(rows, name);
    if (isOutdated(at, state, { image, overlay })) return [];
    await release(rows, name, at);
    await put(rows, name, {
      at,
      gone: true,
      version: state?.version ?? null,
      format: state?.format ?? null,
      imageId: image?.id ?? state?.imageId ?? null,
      overlayId: overlay?.id ?? state?.overlayId ?? null,
      overlayIssuerId: overlay?.issuerId ?? state?.overlayIssuerId ?? null,
    });
    return [
      ...(image === null ? [] : await deleteImage(rows, image, at)),
      ...(overlay === null ? [] : await deleteOverlay(rows, overlay)),
    ];
  }

  private async rename(rows: EntityManager, from: AssetName, to: AssetName, at: Date): Promise<RowChange[]> {
    const source = await findState(rows, from);
    const live = await findLive(rows, from);
    if (from.publicId === to.publicId || isOutdated(at, source, live)) return [];
    // A renamed asset exists: it was uploaded after the deletion, in an event not yet received.
    const deleted = await findDeleted(rows, source);
    const image = live.image ?? deleted.image;
    const overlay = live.overlay ?? deleted.overlay;
    const known = { version: source?.version ?? null, format: source?.format ?? null };
    await put(rows, from, { ...known, at, movedTo: to.publicId });

    const { name, state } = await follow(rows, to, at);
    const target = state !== null && state.at >= at ? state : null;
    if (target === null) await put(rows, name, { ...known, at });
    const end = target?.gone ? { at: target.at, gone: true } : { at, gone: false };
    const retained =
      (await release(rows, from, at)) ??
      ((image ?? overlay) ? null : await findOwner(rows, from.publicId, at));
    if (retained !== null && !end.gone) await retain(rows, name, retained);
    return move(rows, { image, overlay }, name, newestOf(known, target), end);
  }
}

/** Whether a row can have the name. */
function isRegistrable({ publicId }: AssetName): boolean {
  return findPublicIdFault(publicId) === null;
}

/** Whether a name's state or rows are newer than a deletion or rename at this time. */
function isOutdated(at: Date, state: State, { image, overlay }: AssetRows): boolean {
  // Versions are Unix seconds: an upload in the same second came before. Overlays have their time of writing instead.
  if (image !== null && image.version > secondsOf(at)) return true;
  if (overlay !== null && secondsOf(overlay.updatedAt) > secondsOf(at)) return true;
  if (state === null || state.at < at) return false;
  return state.at > at || state.gone || state.movedTo !== null;
}

interface Known {
  readonly version: number | null;
  readonly format: string | null;
}

/** The higher version, with its format. */
function newestOf<Version extends number | null>(
  reported: { readonly version: Version; readonly format: string | null },
  other: Known | null,
): { readonly version: Version | number; readonly format: string | null } {
  const known = other?.version ?? 0;
  if (known > (reported.version ?? 0)) return { version: known, format: other?.format ?? null };
  return { version: reported.version, format: reported.format };
}

async function findState(rows: EntityManager, { publicId, deliveryType }: AssetName): Promise<State> {
  return rows.findOneBy(AssetStateEntity, { publicId, deliveryType });
}

/** The current name of the asset that had this name at this time: follows later renames. */
async function follow(
  rows: EntityManager,
  name: AssetName,
  at: Date,
): Promise<{ readonly name: AssetName; readonly state: State }> {
  let [here, since] = [name, at];
  for (let moves = 0; ; moves++) {
    const state = await findState(rows, here);
    if (state?.movedTo == null || state.at < since || moves === MAX_MOVES) return { name: here, state };
    here = { ...here, publicId: state.movedTo };
    since = state.at;
  }
}

/** Replaces a name's state. */
async function put(
  rows: EntityManager,
  { publicId, deliveryType }: AssetName,
  state: Partial<AssetStateEntity> & Known & { readonly at: Date },
): Promise<void> {
  await rows.upsert(
    AssetStateEntity,
    {
      gone: false,
      movedTo: null,
      imageId: null,
      overlayId: null,
      overlayIssuerId: null,
      ...state,
      publicId,
      deliveryType,
    },
    ['publicId', 'deliveryType'],
  );
}

type Retained = Pick<RetainedPublicIdEntity, 'issuerId' | 'version'>;

/** Deletes the retention of a name whose asset no longer exists. @returns it; null for none of that time. */
async function release(rows: EntityManager, name: AssetName, at: Date): Promise<Retained | null> {
  const retained = await rows.findOneBy(RetainedPublicIdEntity, name);
  // As for rows: a later version is of another asset, uploaded after the event.
  if (retained === null || retained.version > secondsOf(at)) return null;
  await rows.delete(RetainedPublicIdEntity, { id: retained.id });
  return retained;
}

/** Retains a name, unless a row or another retention has it. */
async function retain(
  rows: EntityManager,
  { publicId, deliveryType }: AssetName,
  { issuerId, version }: Retained,
): Promise<void> {
  const taken =
    (await rows.existsBy(ImageEntity, { publicId })) ||
    (await rows.existsBy(OverlayEntity, { publicId })) ||
    (await rows.existsBy(RetainedPublicIdEntity, { publicId, issuerId: Not(issuerId) }));
  if (taken) return;
  await rows
    .createQueryBuilder()
    .insert()
    .into(RetainedPublicIdEntity)
    .values({ id: randomUUID(), publicId, deliveryType, issuerId, version })
    .orIgnore()
    .execute();
}

async function prune(rows: EntityManager): Promise<void> {
  await rows.query(
    `DELETE FROM cloudinary_assets WHERE at < now() - ${RETENTION} AND image_id IS NULL AND overlay_id IS NULL`,
  );
}

/** The owner of an asset without rows: a public id has one owner across delivery types. */
async function findOwner(rows: EntityManager, publicId: string, at: Date): Promise<Retained | null> {
  const owner =
    (await rows.findOneBy(ImageEntity, { publicId })) ??
    (await rows.findOneBy(OverlayEntity, { publicId })) ??
    (await rows.findOneBy(RetainedPublicIdEntity, { publicId }));
  return owner === null ? null : { issuerId: owner.issuerId, version: secondsOf(at) };
}

interface AssetRows {
  readonly image: ImageEntity | null;
  readonly overlay: OverlayEntity | null;
}

async function findLive(rows: EntityManager, name: AssetName): Promise<AssetRows> {
  return {
    image: await rows.findOneBy(ImageEntity, name),
    overlay: await rows.findOneBy(OverlayEntity, name),
  };
}

/** The rows that were deleted with an asset, or for its name, and can still be restored. */
async function findDeleted(rows: EntityManager, state: State): Promise<AssetRows> {
  if (state === null) return { image: null, overlay: null };
  const { deliveryType, publicId, imageId, overlayId, overlayIssuerId } = state;
  const image =
    imageId === null ? null : await rows.findOne(ImageEntity, { where: { id: imageId }, withDeleted: true });
  const overlay =
    overlayId === null || overlayIssuerId === null
      ? null
      : rows.create(OverlayEntity, { id: overlayId, issuerId: overlayIssuerId, deliveryType, publicId });
  return { image, overlay };
}

/**
 * Gives rows their asset's new name. They are deleted if the asset was deleted or the name cannot be registered, and
 * restored with it.
 * @param end When the asset got the name, or, if it is gone, when a later event deleted it.
 */
async function move(
  rows: EntityManager,
  { image, overlay }: AssetRows,
  name: AssetName,
  known: Known,
  end: { readonly at: Date; readonly gone: boolean },
): Promise<RowChange[]> {
  const owner = image ?? overlay;
  if (owner === null) return [];
  const isDeleted = end.gone || !isRegistrable(name);
  if (isDeleted) {
    const { publicId, deliveryType } = name;
    await rows.update(
      AssetStateEntity,
      { publicId, deliveryType },
      {
        ...(image === null ? {} : { imageId: image.id }),
        ...(overlay === null ? {} : { overlayId: overlay.id, overlayIssuerId: overlay.issuerId }),
      },
    );
  }
  const changes = [
    ...(image === null ? [] : await moveImage(rows, image, name, known, isDeleted ? end.at : null)),
    ...(overlay === null
      ? []
      : isDeleted
        ? await deleteOverlay(rows, overlay)
        : await moveOverlay(rows, overlay, name, end.at)),
  ];
  // The asset still exists, and could be renamed to a public id that any issuer may register.
  if (isDeleted && !end.gone) {
    await retain(rows, name, { issuerId: owner.issuerId, version: image?.version ?? secondsOf(end.at) });
  }
  return changes;
}

async function setVersion(rows: EntityManager, image: ImageEntity, known: Known): Promise<RowChange[]> {
  const { version, format } = newestOf(known, image);
  if (version === null || version <= image.version) return [];
  await rows.update(ImageEntity, { id: image.id }, { version, format: format ?? image.format });
  return [changeOf('images', image)];
}

/**
 * Renames an image. An image of the same issuer that has the name is deleted: its asset was overwritten.
 * @param deletedAt Null for an image that exists.
 */
async function moveImage(
  rows: EntityManager,
  image: ImageEntity,
  name: AssetName,
  known: Known,
  deletedAt: Date | null,
): Promise<RowChange[]> {
  const { id, issuerId } = image;
  const existing = await rows.findOneBy(ImageEntity, { ...name, issuerId });
  const changes = existing === null ? [] : await deleteImage(rows, existing, deletedAt ?? new Date());
  // Caches may have an earlier version's URL: the version never decreases.
  const { version, format } = newestOf(known, newestOf(image, existing));
  await rows.update(
    ImageEntity,
    { id },
    { ...name, version: version ?? image.version, format: format ?? image.format, deletedAt },
  );
  return [...changes, changeOf('images', image)];
}

async function deleteImage(rows: EntityManager, image: ImageEntity, at: Date): Promise<RowChange[]> {
  await rows.update(ImageEntity, { id: image.id }, { deletedAt: at });
  return [changeOf('images', image)];
}

/** Renames an overlay, or deletes it if no layer can have the name. @param at When it got the name. */
async function moveOverlay(
  rows: EntityManager,
  overlay: OverlayEntity,
  name: AssetName,
  at: Date,
): Promise<RowChange[]> {
  const { id, issuerId } = overlay;
  if (writeAssetLayer({ ...name, deliveryType: 'upload' }) === undefined) {
    // The asset still belongs to its issuer.
    const changed = await deleteOverlay(rows, overlay);
    await retain(rows, name, { issuerId, version: secondsOf(at) });
    return changed;
  }
  const existing = await rows.findOneBy(OverlayEntity, { ...name, issuerId });
  const changes = existing === null ? [] : await deleteOverlay(rows, existing);
  // Not the current time: the notification may be late, and a later event must not look older.
  const { affected } = await rows.update(OverlayEntity, { id }, { ...name, updatedAt: at });
  if (affected === 0) {
    await rows.insert(OverlayEntity, { id, issuerId, ...name, createdAt: at, updatedAt: at });
  }
  return [...changes, changeOf('overlays', overlay)];
}

async function deleteOverlay(rows: EntityManager, overlay: OverlayEntity): Promise<RowChange[]> {
  await rows.delete(OverlayEntity, { id: overlay.id });
  return [changeOf('overlays', overlay)];
}

/** Whole Unix seconds. */
const secondsOf = (at: Date): number => Math.floor(at.getTime() / 1_000);

function changeOf(
  table: 'images' | 'overlays',
  { id, issuerId }: { readonly id: string; readonly issuerId: string },
): RowChange {
  return { table, id, issuer_id: issuerId };
}
