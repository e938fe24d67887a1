import { createHash } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { CloudinaryUploader } from '../cloudinary/cloudinary-uploader.js';
import { ENVIRONMENT } from '../platform/config/config.module.js';
import type { Environment } from '../platform/config/environment.js';
import { inspectOriginal, type InspectedOriginal } from './inspect-original.js';
import { OriginalExistsError } from './original.errors.js';
import { OriginalsStore, type OwnedOriginal, type WriteRow } from './originals.store.js';

/** What a row records of its original. */
export interface StoredOriginal {
  readonly version: number;
  readonly format: string;
}

/** Writes, in the transaction that it is given, the row that names an original. */
export type WriteStored = (manager: EntityManager, kept: StoredOriginal) => Promise<unknown>;

/** Takes originals in: in mode `cloudinary` the account has them, in every other this service keeps them itself. */
@Injectable()
export class OriginalsService {
  private turn: Promise<unknown> = Promise.resolve();

  constructor(
    @Inject(ENVIRONMENT) private readonly environment: Pick<Environment, 'deliveryMode'>,
    private readonly store: OriginalsStore,
    private readonly uploader: CloudinaryUploader,
    private readonly dataSource: DataSource,
  ) {}

  /**
   * Takes the original of a new row; `writeRow` inserts it. A version that Cloudinary gives wins over the caller's.
   * @throws InvalidOriginalError (422), OriginalTooLargeError (413), OriginalExistsError (409), UploadFailedError;
   * what `writeRow` throws.
   */
  async create(
    name: OwnedOriginal & { readonly version: number },
    file: Buffer,
    writeRow: WriteStored,
  ): Promise<void> {
    const original = await this.inspect(file);
    const own = { version: name.version, format: original.format };
    if (this.environment.deliveryMode !== 'cloudinary') {
      const write: WriteRow = (manager) => writeRow(manager, own);
      return this.store.put(name, { ...original, ...own }, { replace: false, writeRow: write });
    }
    // Nothing is sent for a row that the database would refuse, a neighbour's public id above all. No transaction
    // stays open while a picture travels.
    await this.rehearse((manager) => writeRow(manager, own));
    // Without `overwrite` an asset that this database knows nothing of is never lost.
    const answer = await this.uploader.upload(name, original.content, { overwrite: false });
    // The same content once more is the retry of a request whose row was not written.
    if (answer.existing && answer.etag !== md5(original.content)) throw new OriginalExistsError(answer);
    const kept = { version: answer.version, format: answer.format };
    await this.dataSource.transaction((manager) => writeRow(manager, kept));
  }

  /**
   * Takes a new original for a row that is there; `writeRow` updates it, and throws where it is gone or has another name
   * or issuer by now.
   * @param name With the version that the row gets where this service keeps the original.
   * @throws InvalidOriginalError (422), OriginalTooLargeError (413), UploadFailedError; what `writeRow` throws.
   */
  async replace(
    name: OwnedOriginal & { readonly version: number },
    file: Buffer,
    writeRow: WriteStored,
  ): Promise<void> {
    const original = await this.inspect(file);
    const own = { version: name.version, format: original.format };
    if (this.environment.deliveryMode !== 'cloudinary') {
      const write: WriteRow = (manager) => writeRow(manager, own);
      return this.store.put(name, { ...original, ...own }, { replace: true, writeRow: write });
    }
    // The name may have become a neighbour's since the row was read, whose asset must not be overwritten.
    await this.rehearse((manager) => writeRow(manager, own));
    const { version, format } = await this.uploader.upload(name, original.content, { overwrite: true });
    await this.dataSource.transaction((manager) => writeRow(manager, { version, format }));
  }

  /** One at a time: at the limit of pixels a WebP takes 0.4 GB of memory for the moment, an AVIF 0.9 GB. */
  private async inspect(content: Buffer): Promise<InspectedOriginal> {
    const inspection = this.turn.then(() => inspectOriginal(content));
    this.turn = inspection.catch(() => undefined);
    return inspection;
  }

  /** Runs a write and takes it back: the database, not a look before, says what it would refuse. */
  private async rehearse(write: WriteRow): Promise<void> {
    const queryRunner = this.dataSource.createQueryRunner();
    try {
      await queryRunner.startTransaction();
      await write(queryRunner.manager);
    } finally {
      // Where it fails, the connection has ended.
      await queryRunner
        .rollbackTransaction()
        .catch(() => undefined)
        .finally(() => queryRunner.release());
    }
  }
}

/** Cloudinary's `etag` of an asset is the MD5 of its content. */
function md5(content: Buffer): string {
  return createHash('md5').update(content).digest('hex');
}
