import { Injectable } from '@nestjs/common';
import { DatabaseLookups, type Statement } from '../directory/database-lookups.service.js';
import type { OriginalName } from '../originals/originals.store.js';
import type { OriginalSize } from './memory-budget.js';

/** What the renderer reads of an original's row. */
export interface StoredOriginal extends OriginalSize {
  /** Of the content, hexadecimal. */
  readonly sha256: string;
  /** Of the uploaded file, without its extension; null if unknown. */
  readonly originalFilename: string | null;
}

const FIND: Statement = {
  name: 'pixseal_original',
  text: `SELECT sha256, original_filename AS "originalFilename", format, width, height
    FROM originals WHERE account_id = $1 AND delivery_type = $2 AND public_id = $3`,
};

/** Rows of originals: with the limits of redirects, since an image is requested right after one. */
@Injectable()
export class OriginalRows {
  constructor(private readonly lookups: DatabaseLookups) {}

  /** @returns null if this service stores none. @throws DatabaseUnavailableError (503) */
  async findRow({ accountId, deliveryType, publicId }: OriginalName): Promise<StoredOriginal | null> {
    const [row] = await this.lookups.run((query) =>
      query<StoredOriginal>(FIND, [accountId, deliveryType, publicId]),
    );
    return row ?? null;
  }
}
