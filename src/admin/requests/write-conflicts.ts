import { type EntityManager, Not, QueryFailedError } from 'typeorm';
import { getActor } from '../../platform/actor/actor.js';
import { ImageEntity } from '../../platform/database/entities/image.entity.js';
import { OverlayEntity } from '../../platform/database/entities/overlay.entity.js';
import { RetainedPublicIdEntity } from '../../platform/database/entities/retained-public-id.entity.js';
import { IssuerNotFoundError } from '../issuers/issuer.errors.js';
import { IdTakenError, PublicIdTakenError } from './admin.errors.js';

/** Awaits a write and translates the constraint that it violated (SQLSTATE class 23): checking beforehand would race. */
export async function translateConstraintErrors<T>(write: Promise<T>): Promise<T> {
  try {
    return await write;
  } catch (error) {
    if (!(error instanceof QueryFailedError)) throw error;
    const { code, constraint = '' } = error.driverError as { code?: string; constraint?: string };
    if (code === '23505')
      throw constraint.includes('public_id') ? new PublicIdTakenError() : new IdTakenError();
    if (code === '23503') throw new IssuerNotFoundError();
    throw error;
  }
}

/**
 * Does the same for a write of an image or overlay, and reports which row has the public id if the caller may see it.
 * @param rows Outside of the write's transaction, which is already aborted.
 */
export async function translateAssetErrors<T>(
  rows: EntityManager,
  entity: typeof ImageEntity | typeof OverlayEntity,
  { issuerId, publicId, deliveryType }: Pick<OverlayEntity, 'issuerId' | 'publicId' | 'deliveryType'>,
  write: Promise<T>,
): Promise<T> {
  try {
    return await translateConstraintErrors(write);
  } catch (error) {
    if (!(error instanceof PublicIdTakenError)) throw error;
    const kind = entity === ImageEntity ? 'image' : 'overlay';
    const own = await rows.findOneBy<ImageEntity | OverlayEntity>(entity, {
      issuerId,
      publicId,
      deliveryType,
    });
    if (own !== null) throw PublicIdTakenError.ofRow(kind, own);
    if (getActor().issuerId !== null) throw error;
    const foreign = { publicId, issuerId: Not(issuerId) };
    const image = await rows.findOneBy(ImageEntity, foreign);
    if (image !== null) throw PublicIdTakenError.ofRow('image', image);
    const overlay = await rows.findOneBy(OverlayEntity, foreign);
    if (overlay !== null) throw PublicIdTakenError.ofRow('overlay', overlay);
    const retained = await rows.findOneBy(RetainedPublicIdEntity, foreign);
    throw retained === null ? error : PublicIdTakenError.ofRetained(retained);
  }
}
