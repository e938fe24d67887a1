import { type EntityManager, Not, QueryFailedError } from 'typeorm';
import { getActor } from '../../platform/actor/actor.js';
import type { AssetEntity } from '../../platform/database/entities/asset.entity.js';
import { ENVIRONMENT_ACCOUNT_ID } from '../../domain/account.js';
import { IssuerEntity } from '../../platform/database/entities/issuer.entity.js';
import { ImageEntity } from '../../platform/database/entities/image.entity.js';
import { OverlayEntity } from '../../platform/database/entities/overlay.entity.js';
import { RetainedPublicIdEntity } from '../../platform/database/entities/retained-public-id.entity.js';
import { AccountNotFoundError, ApiKeyTakenError, CloudNameTakenError } from '../accounts/account.errors.js';
import { IssAliasTakenError, IssuerNotEmptyError, IssuerNotFoundError } from '../issuers/issuer.errors.js';
import { IdTakenError, PublicIdTakenError } from './admin.errors.js';

const ASSETS = { image: ImageEntity, overlay: OverlayEntity };
export type AssetKind = keyof typeof ASSETS;

/** Awaits a write and translates the constraint that it violated (SQLSTATE class 23): checking beforehand would race. */
export async function translateConstraintErrors<T>(write: Promise<T>): Promise<T> {
  try {
    return await write;
  } catch (error) {
    if (!(error instanceof QueryFailedError)) throw error;
    const { code, constraint = '' } = error.driverError as { code?: string; constraint?: string };
    if (code === '23505') {
      if (constraint === 'accounts_cloud_name') throw new CloudNameTakenError();
      if (constraint === 'account_secrets_api_key') throw new ApiKeyTakenError();
      if (constraint === 'issuers_iss_aliases') throw new IssAliasTakenError();
      throw constraint.includes('public_id') ? new PublicIdTakenError() : new IdTakenError();
    }
    if (constraint === 'issuers_account_assets') throw IssuerNotEmptyError.ofAccountChange();
    if (code === '23503') {
      throw constraint === 'issuers_account' ? new AccountNotFoundError() : new IssuerNotFoundError();
    }
    throw error;
  }
}

/**
 * Does the same for a write of an image or overlay, and reports which row has the public id if the caller may see it.
 * @param rows Outside of the write's transaction, which is already aborted.
 */
export async function translateAssetErrors<T>(
  rows: EntityManager,
  kind: AssetKind,
  { issuerId, publicId, deliveryType }: Pick<AssetEntity, 'issuerId' | 'publicId' | 'deliveryType'>,
  write: Promise<T>,
): Promise<T> {
  try {
    return await translateConstraintErrors(write);
  } catch (error) {
    if (!(error instanceof PublicIdTakenError)) throw error;
    const own = await rows.findOneBy<AssetEntity>(ASSETS[kind], { issuerId, publicId, deliveryType });
    if (own !== null) throw PublicIdTakenError.ofRow(kind, own);
    if (getActor().issuerId !== null) throw error;
    const issuer = await rows.findOneBy(IssuerEntity, { id: issuerId });
    const accountId = issuer?.accountId ?? ENVIRONMENT_ACCOUNT_ID;
    const foreign = { accountId, publicId, issuerId: Not(issuerId) };
    for (const other of ['image', 'overlay'] as const) {
      const row = await rows.findOneBy<AssetEntity>(ASSETS[other], foreign);
      if (row !== null) throw PublicIdTakenError.ofRow(other, row);
    }
    const retained = await rows.findOneBy(RetainedPublicIdEntity, foreign);
    throw retained === null ? error : PublicIdTakenError.ofRetained(retained);
  }
}
