import type { EntityManager } from 'typeorm';
import type { AssetKind } from '../requests/write-conflicts.js';

/** SQL: the lock under which the account's events are applied one at a time. Writers of rows share it. */
export const EVENTS_LOCK = `hashtextextended('cloudinary_assets', 2)`;

/**
 * Writes a row that registers an asset, and applies what notifications reported of the asset before: a rejected one is
 * not shown, and an image that the account restricts needs a token.
 * @param rows A transaction, in which `write` is the first to write: notifications wait until it ends.
 * @returns Whether the row was changed further.
 */
export async function writeWithKnownEvents(
  rows: EntityManager,
  kind: AssetKind,
  id: string,
  write: () => Promise<unknown>,
): Promise<boolean> {
  await rows.query(`SELECT pg_advisory_xact_lock_shared(${EVENTS_LOCK})`);
  await write();
  const access =
    kind === 'image' ? `, access = CASE WHEN asset.restricted_at IS NULL THEN access ELSE 'token' END` : '';
  const [, affected] = await rows.query<[unknown, number]>(
    `UPDATE ${kind}s AS row
        SET rejected_at = CASE WHEN asset.rejected THEN asset.moderated_at ELSE row.rejected_at END${access}
       FROM cloudinary_assets AS asset
      WHERE row.id = $1 AND NOT asset.gone AND asset.moved_to IS NULL AND (asset.rejected OR asset.restricted_at IS NOT NULL)
        AND (asset.account_id, asset.public_id, asset.delivery_type)
          = (row.account_id, row.public_id, row.delivery_type)`,
    [id],
  );
  return affected > 0;
}
