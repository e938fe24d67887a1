import { randomUUID } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { type EntityManager, IsNull, MoreThanOrEqual, Not } from 'typeorm';
import { ENVIRONMENT } from '../../platform/config/config.module.js';
import type { Environment } from '../../platform/config/environment.js';
import { ENVIRONMENT_ACCOUNT_ID } from '../../domain/account.js';
import type { RowChange } from '../../platform/database/change-feed.js';
import { ImageEntity } from '../../platform/database/entities/image.entity.js';
import type { AssetEntity } from '../../platform/database/entities/asset.entity.js';
import { OverlayEntity } from '../../platform/database/entities/overlay.entity.js';
import { writeAssetLayer } from '../../transformations/asset-layer.js';
import { findPublicIdFault } from '../../transformations/public-id.js';
import { RetainedPublicIdEntity } from '../../platform/database/entities/retained-public-id.entity.js';
import { AssetStateEntity } from '../../platform/database/entities/asset-state.entity.js';
import { IssuerNotFoundError } from '../issuers/issuer.errors.js';
import { EVENTS_LOCK } from '../assets/known-events.js';
import type { AssetName as ReportedName, Notification, Uploaded as ReportedUpload } from './notification.js';
import { findIssuerOf } from '../../domain/registration-rule.js';

/** The number of renames of one asset that are followed. */
const MAX_MOVES = 32;
/** How long a state without deleted rows is kept: a notification is refused two hours after it was signed. */
const RETENTION = `interval '1 day'`;

/** An asset's name in its account: every query by it is limited to the rows of that account. */
interface AssetName extends ReportedName {
  /** Of `accountIdOf`. */
  readonly accountId: string;
}

type Uploaded = Omit<ReportedUpload, 'name'> & { readonly name: AssetName };

type State = AssetStateEntity | null;

/**
 * Applies the account's events to the rows. Per name the latest event wins, in whatever order and however often events
 * are received. The rows of an asset whose public id cannot be registered are deleted until it is renamed to one that
 * can; meanwhile the public id is retained for their issuer. Everything runs in the caller's transaction.
 */
@Injectable()
export class AccountEventsService {
  constructor(@Inject(ENVIRONMENT) private readonly environment: Pick<Environment, 'registrationRules'>) {}

  /**
   * @param accountId The account that sent the notification, of `accountIdOf`.
   * @returns the rows that changed, possibly with duplicates.
   * @throws IssuerNotFoundError if a rule names an issuer that does not exist or is of another account.
   */
  async apply(rows: EntityManager, accountId: string, { at, event }: Notification): Promise<RowChange[]> {
    if (event.type === 'other') return [];
    // Events are applied one at a time, across processes: each may change several names, in any order.
    await rows.query(
      // A name that the account deletes or renames is not retained for its issuer: the asset no longer exists.
      `SELECT pg_advisory_xact_lock(${EVENTS_LOCK}),
              set_config('pixseal.account_event', 'on', true)`,
    );
    await prune(rows);
    const nameOf = (name: ReportedName): AssetName => ({ ...name, accountId });
    switch (event.type) {
      case 'upload':
        return this.upload(rows, { ...event, name: nameOf(event.name) }, at);
      case 'delete':
        return inOrder(event.names, (name) => this.delete(rows, nameOf(name), at));
      case 'rename':
        return this.rename(rows, nameOf(event.from), nameOf(event.to), at);
      case 'move':
        return inOrder(event.moved, ({ name, folder }) => this.move(rows, nameOf(name), folder, at));
      case 'move_folder':
        return this.moveFolder(rows, accountId, event.from, event.to, at);
      case 'moderate':
        return inOrder(event.names, (name) => moderate(rows, nameOf(name), event.rejected, at));
      case 'restrict':
        return inOrder(event.names, (name) => restrict(rows, nameOf(name), at));
      default:
        return event satisfies never;
    }
  }

  private async upload(rows: EntityManager, uploaded: Uploaded, at: Date): Promise<RowChange[]> {
    // Of a deleted asset too: it may be restored.
    const restricted = uploaded.restricted ? await restrict(rows, uploaded.name, at) : [];
    const { name, state } = await follow(rows, uploaded.name, at);
    if (state?.gone && state.at >= at) return restricted;
    const known = newestOf(uploaded, state);
    const latest = state === null || state.at < at;
    const deleted = await findDeleted(rows, state);
    await put(rows, name, {
      ...known,
      at: latest ? at : state.at,
      movedTo: latest ? null : state.movedTo,
    });
    if (uploaded.assetFolder !== null) await putFolder(rows, name, uploaded.assetFolder, at);
    return [
      ...restricted,
      ...(await this.store(rows, name, { uploaded, known, deleted, at })),
      ...(await moderate(rows, name, uploaded.rejected, outcomeTimeOf(uploaded, at))),
    ];
  }

  /** Updates, restores or registers the rows of an uploaded asset. */
  private async store(
    rows: EntityManager,
    name: AssetName,
    {
      uploaded,
      known,
      deleted,
      at,
    }: {
      readonly uploaded: Uploaded;
      readonly known: Pick<Uploaded, 'version' | 'format'>;
      readonly deleted: AssetRows;
      readonly at: Date;
    },
  ): Promise<RowChange[]> {
    const image = await rows.findOneBy(ImageEntity, name);
    if (image !== null) return setVersion(rows, image, known);
    if (await rows.existsBy(OverlayEntity, name)) return [];
    if (deleted.image !== null || deleted.overlay !== null) {
      return move(rows, deleted, name, known, { at, gone: false });
    }
    if (!isRegistrable(uploaded.name)) return [];
    return [
      ...(await this.register(rows, name, { ...known, facts: uploaded.facts }, at)),
      // A move that was received before.
      ...(await this.registerMoved(rows, name)),
    ];
  }

  /** An asset that is moved into a folder of a rule is registered; rows stay with their issuer. */
  private async move(
    rows: EntityManager,
    original: AssetName,
    folder: string,
    at: Date,
  ): Promise<RowChange[]> {
    const { name, state } = await follow(rows, original, at);
    if (state?.gone && state.at >= at) return [];
    await putFolder(rows, name, folder, at);
    return this.registerMoved(rows, name);
  }

  /** The same for the assets in a folder, and below it, whose notifications are still stored. */
  private async moveFolder(
    rows: EntityManager,
    accountId: string,
    from: string,
    to: string,
    at: Date,
  ): Promise<RowChange[]> {
    const states = await rows
      .createQueryBuilder(AssetStateEntity, 'asset')
      .where({ accountId })
      .andWhere('asset.folderAt <= :at AND (asset.folder = :from OR starts_with(asset.folder, :below))', {
        at,
        from,
        below: `${from}/`,
      })
      .getMany();
    return inOrder(states, async ({ publicId, deliveryType, folder }) => {
      const name = { accountId, publicId, deliveryType };
      await putFolder(rows, name, `${to}${(folder ?? '').slice(from.length)}`, at);
      return this.registerMoved(rows, name);
    });
  }

  /** Registers an asset without rows by its latest folder. */
  private async registerMoved(rows: EntityManager, name: AssetName): Promise<RowChange[]> {
    const state = await findState(rows, name);
    if (state?.version == null || state.folder === null) return [];
    if (state.gone || state.movedTo !== null || state.imageId !== null || state.overlayId !== null) return [];
    const { version, format, folder } = state;
    const facts = { folder, context: {}, metadata: {} };
    if (findIssuerOf(facts, this.environment.registrationRules) === null || !isRegistrable(name)) return [];
    const { image, overlay } = await findLive(rows, name);
    if (image !== null || overlay !== null) return [];
    // An image that was deleted here since its upload is not registered again: the move changes nothing in the asset.
    const changes = await this.register(rows, name, { version, format, facts }, new Date(version * 1_000));
    return [...changes, ...(await applyOutcome(rows, name))];
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
    await requireIssuerOf(rows, name.accountId, issuerId);
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
    await keepRejection(rows, name, overlay);
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
    const restricted = isRestrictedSince(state, at);
    await copyFacts(rows, source, name, at);
    const end = target?.gone ? { at: target.at, gone: true } : { at, gone: false };
    const retained =
      (await release(rows, from, at)) ?? ((image ?? overlay) ? null : await findOwner(rows, from, at));
    if (retained !== null && !end.gone) await retain(rows, name, retained);
    return [
      ...(await move(rows, { image, overlay }, name, newestOf(known, target), end)),
      ...(restricted ? await close(rows, name) : []),
      ...(await applyOutcome(rows, name)),
    ];
  }
}

/**
 * To the second, as versions are: a rejection in the same second is of this upload. An approval is of the uploaded
 * version, which a later rejection rejects however late the upload is reported.
 */
function outcomeTimeOf({ version, rejected }: Uploaded, at: Date): Date {
  const seconds = secondsOf(at);
  return new Date((rejected === true ? seconds : Math.min(seconds, version)) * 1_000);
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

/** A rule must not register an asset for an issuer of another account. The lock pins the issuer's account. */
async function requireIssuerOf(rows: EntityManager, accountId: string, issuerId: string): Promise<void> {
  const [issuer] = await rows.query<{ account_id: string | null }[]>(
    'SELECT account_id FROM issuers WHERE id = $1 FOR SHARE',
    [issuerId],
  );
  if (issuer === undefined || (issuer.account_id ?? ENVIRONMENT_ACCOUNT_ID) !== accountId) {
    throw new IssuerNotFoundError();
  }
}

async function findState(
  rows: EntityManager,
  { accountId, publicId, deliveryType }: AssetName,
): Promise<State> {
  return rows.findOneBy(AssetStateEntity, { accountId, publicId, deliveryType });
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
  { accountId, publicId, deliveryType }: AssetName,
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
      accountId,
      publicId,
      deliveryType,
    },
    ['publicId', 'deliveryType', 'accountId'],
  );
}

/** Stores an asset's folder, unless a later one is known. */
async function putFolder(
  rows: EntityManager,
  { accountId, publicId, deliveryType }: AssetName,
  folder: string,
  folderAt: Date,
): Promise<void> {
  const known = await findState(rows, { accountId, publicId, deliveryType });
  if (known?.folderAt != null && known.folderAt > folderAt) return;
  await putFacts(rows, { accountId, publicId, deliveryType }, { folder, folderAt });
}

type Facts = Partial<
  Pick<AssetStateEntity, 'folder' | 'folderAt' | 'rejected' | 'moderatedAt' | 'restrictedAt'>
>;

/** Stores what is known of an asset beside its name and version. */
async function putFacts(
  rows: EntityManager,
  { accountId, publicId, deliveryType }: AssetName,
  facts: Facts,
): Promise<void> {
  const name = { accountId, publicId, deliveryType };
  const { affected } = await rows.update(AssetStateEntity, name, facts);
  // Older than every event of the name: of those, none was received.
  if (affected === 0) await rows.insert(AssetStateEntity, { ...name, ...facts, at: new Date(0) });
}

/**
 * Of a renamed asset. What was known of its new name is of the asset that it overwrote, unless it is later: to the
 * second, as outcomes of uploads are. Of two outcomes in that second the rejection decides.
 */
async function copyFacts(rows: EntityManager, source: State, to: AssetName, at: Date): Promise<void> {
  const target = await findState(rows, to);
  const { folder = null, folderAt = null, rejected = false, moderatedAt = null } = source ?? {};
  if (target?.folderAt == null || target.folderAt <= at) await putFacts(rows, to, { folder, folderAt });
  const outcomeAt = target?.moderatedAt ?? null;
  if (outcomeAt === null || secondsOf(outcomeAt) < secondsOf(at)) {
    await putFacts(rows, to, { rejected, moderatedAt });
  } else if (rejected && secondsOf(outcomeAt) === secondsOf(at)) {
    await putFacts(rows, to, { rejected, moderatedAt: outcomeAt });
  }
  if (!isRestrictedSince(target, at)) {
    await putFacts(rows, to, { restrictedAt: source?.restrictedAt ?? null });
  }
}

/** Whether an asset was restricted under its name at this time or later, to the second. */
function isRestrictedSince(state: State, at: Date): boolean {
  return state?.restrictedAt != null && secondsOf(state.restrictedAt) >= secondsOf(at);
}

/** Applies the outcome of an asset's moderation, unless a later one is known. @param rejected Null for none. */
async function moderate(
  rows: EntityManager,
  original: AssetName,
  rejected: boolean | null,
  at: Date,
): Promise<RowChange[]> {
  const { name, state } = await follow(rows, original, at);
  if (state?.gone && state.at >= at) return [];
  const { moderatedAt, rejected: was } = await findOutcome(rows, name, state);
  // Of two at the same time the rejection decides.
  const isNews = moderatedAt === null || at > moderatedAt || (at >= moderatedAt && !was);
  if (rejected !== null && isNews) await putFacts(rows, name, { rejected, moderatedAt: at });
  return applyOutcome(rows, name);
}

/** The latest outcome of an asset's moderation. Its rows have a rejection that is no longer in its state. */
async function findOutcome(
  rows: EntityManager,
  name: AssetName,
  state: State,
): Promise<Pick<AssetStateEntity, 'moderatedAt' | 'rejected'>> {
  if (state?.moderatedAt != null) return state;
  const [live, deleted] = [await findLive(rows, name), await findDeleted(rows, state)];
  const moderatedAt =
    [live.image, live.overlay, deleted.image].find((row) => row?.rejectedAt != null)?.rejectedAt ?? null;
  return { moderatedAt, rejected: moderatedAt !== null };
}

/** Stores the rejection of an overlay whose row is deleted, unless an outcome is stored. */
async function keepRejection(
  rows: EntityManager,
  name: AssetName,
  overlay: OverlayEntity | null,
): Promise<void> {
  if (overlay?.rejectedAt == null) return;
  const state = await findState(rows, name);
  if (state?.moderatedAt == null)
    await putFacts(rows, name, { rejected: true, moderatedAt: overlay.rejectedAt });
}

/** Hides the rows of a rejected asset, and shows those of an approved one. */
async function applyOutcome(rows: EntityManager, name: AssetName): Promise<RowChange[]> {
  const state = await findState(rows, name);
  if (state?.moderatedAt == null) return [];
  const rejectedAt = state.rejected ? state.moderatedAt : null;
  const { image, overlay } = await findLive(rows, name);
  const isDue = (row: AssetEntity | null): row is AssetEntity =>
    row !== null && (row.rejectedAt === null) !== (rejectedAt === null);
  const changes: RowChange[] = [];
  if (isDue(image)) {
    await rows.update(ImageEntity, { id: image.id }, { rejectedAt });
    changes.push(changeOf('images', image));
  }
  if (isDue(overlay)) {
    // Its time of writing is compared with events, so it stays.
    await rows.update(OverlayEntity, { id: overlay.id }, { rejectedAt, updatedAt: overlay.updatedAt });
    changes.push(changeOf('overlays', overlay));
  }
  return changes;
}

/**
 * An image that Cloudinary restricts is no longer shown without a token; a deleted one neither, once it is restored.
 * Nothing widens access again but an operator.
 */
async function restrict(rows: EntityManager, original: AssetName, at: Date): Promise<RowChange[]> {
  const { name, state } = await follow(rows, original, at);
  if (state?.restrictedAt == null || state.restrictedAt < at)
    await putFacts(rows, name, { restrictedAt: at });
  return close(rows, name);
}

/** Applies a restriction to the image of a name, and to the one that is deleted with its asset. */
async function close(rows: EntityManager, name: AssetName): Promise<RowChange[]> {
  const state = await findState(rows, name);
  const images = await rows.find(ImageEntity, {
    where: [
      { ...name, access: 'public', deletedAt: IsNull() },
      ...(state?.imageId == null ? [] : [{ id: state.imageId, access: 'public' as const }]),
    ],
    withDeleted: true,
  });
  for (const { id } of images) await rows.update(ImageEntity, { id }, { access: 'token' });
  return images.map((image) => changeOf('images', image));
}

/** Applies a change to each, one after the other. */
async function inOrder<T>(
  items: readonly T[],
  change: (item: T) => Promise<RowChange[]>,
): Promise<RowChange[]> {
  const changes: RowChange[] = [];
  for (const item of items) changes.push(...(await change(item)));
  return changes;
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
  { accountId, publicId, deliveryType }: AssetName,
  { issuerId, version }: Retained,
): Promise<void> {
  const taken =
    (await rows.existsBy(ImageEntity, { accountId, publicId })) ||
    (await rows.existsBy(OverlayEntity, { accountId, publicId })) ||
    (await rows.existsBy(RetainedPublicIdEntity, { accountId, publicId, issuerId: Not(issuerId) }));
  if (taken) return;
  await rows
    .createQueryBuilder()
    .insert()
    .into(RetainedPublicIdEntity)
    .values({ id: randomUUID(), accountId, publicId, deliveryType, issuerId, version })
    .orIgnore()
    .execute();
}

/** Deletes what no later event needs. A rejection or restriction is kept: its row may be registered again at any time. */
async function prune(rows: EntityManager): Promise<void> {
  await rows.query(
    `DELETE FROM cloudinary_assets
      WHERE at < now() - ${RETENTION} AND image_id IS NULL AND overlay_id IS NULL
        AND greatest(at, folder_at, moderated_at, restricted_at) < now() - ${RETENTION}
        AND (gone OR moved_to IS NOT NULL OR (NOT rejected AND restricted_at IS NULL))`,
  );
}

/** The owner of an asset without rows: a public id has one owner across delivery types. */
async function findOwner(
  rows: EntityManager,
  { accountId, publicId }: AssetName,
  at: Date,
): Promise<Retained | null> {
  const owner =
    (await rows.findOneBy(ImageEntity, { accountId, publicId })) ??
    (await rows.findOneBy(OverlayEntity, { accountId, publicId })) ??
    (await rows.findOneBy(RetainedPublicIdEntity, { accountId, publicId }));
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
  const { accountId, deliveryType, publicId, imageId, overlayId, overlayIssuerId } = state;
  const image =
    imageId === null
      ? null
      : await rows.findOne(ImageEntity, { where: { id: imageId, accountId }, withDeleted: true });
  const overlay =
    overlayId === null || overlayIssuerId === null
      ? null
      : rows.create(OverlayEntity, {
          id: overlayId,
          issuerId: overlayIssuerId,
          deliveryType,
          publicId,
          rejectedAt: null,
        });
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
    const { accountId, publicId, deliveryType } = name;
    await rows.update(
      AssetStateEntity,
      { accountId, publicId, deliveryType },
      {
        ...(image === null ? {} : { imageId: image.id }),
        ...(overlay === null ? {} : { overlayId: overlay.id, overlayIssuerId: overlay.issuerId }),
      },
    );
    await keepRejection(rows, name, overlay);
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
