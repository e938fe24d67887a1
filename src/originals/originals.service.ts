import { createHash } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { DirectoryService } from '../directory/directory.service.js';
import { accountIdOf } from '../domain/account.js';
import { DatabaseUnavailableError } from '../domain/database.errors.js';
import { currentContext } from '../platform/actor/actor.js';
import { CloudinaryUploader } from '../cloudinary/cloudinary-uploader.js';
import { ENVIRONMENT } from '../platform/config/config.module.js';
import type { Environment } from '../platform/config/environment.js';
import { findConvertedFormat } from './image-type.js';
import { checkUploadable, inspectOriginal, type InspectedOriginal } from './inspect-original.js';
import { OriginalExistsError } from './original.errors.js';
import { OriginalsStore, type OwnedOriginal, type WriteRow } from './originals.store.js';
import type { UploadedFile } from './uploaded-file.js';

/** What a row records of its original. */
export interface StoredOriginal {
  readonly version: number;
  readonly format: string;
}

/** An original to store, in the account of its issuer. */
export type NewOriginal = Omit<OwnedOriginal, 'accountId'> & { readonly version: number };

/** Writes the row of an original, in the given transaction. */
export type WriteStored = (manager: EntityManager, kept: StoredOriginal) => Promise<unknown>;

/** Stores originals: in the account in mode `cloudinary`, in this service in every other mode. */
@Injectable()
export class OriginalsService {
  /** By whether the file is converted: drawings can take long, and must not delay photos. */
  private readonly turns = new Map<boolean, Promise<unknown>>();

  constructor(
    @Inject(ENVIRONMENT) private readonly environment: Pick<Environment, 'deliveryMode'>,
    private readonly store: OriginalsStore,
    private readonly uploader: CloudinaryUploader,
    private readonly dataSource: DataSource,
    private readonly directory: DirectoryService,
  ) {}

  /**
   * Stores the original of a new row; `writeRow` inserts the row. Cloudinary's version overrides the caller's.
   * @throws InvalidOriginalError (422), OriginalTooLargeError (413), OriginalExistsError (409), UploadFailedError;
   * AccountUnavailableError (503); what `writeRow` throws.
   */
  async create(name: NewOriginal, file: UploadedFile, writeRow: WriteStored): Promise<void> {
    await this.put(name, file, { replace: false, writeRow });
  }

  /**
   * Stores a new original of an existing row; `writeRow` updates the row, and throws if it was deleted or has another
   * public id or issuer meanwhile.
   * @param name With the version that the row gets if this service stores the original.
   * @throws InvalidOriginalError (422), OriginalTooLargeError (413), UploadFailedError,
   * AccountUnavailableError (503); what `writeRow` throws.
   */
  async replace(name: NewOriginal, file: UploadedFile, writeRow: WriteStored): Promise<void> {
    await this.put(name, file, { replace: true, writeRow });
  }

  private async put(
    name: NewOriginal,
    file: UploadedFile,
    { replace, writeRow }: { readonly replace: boolean; readonly writeRow: WriteStored },
  ): Promise<void> {
    // Cloudinary decodes more formats than this service, and checks what it is sent.
    const inspected =
      this.environment.deliveryMode === 'cloudinary' ? null : await this.inspect(file.content);
    const own = { version: name.version, format: inspected?.format ?? checkUploadable(file.content) };
    const write: WriteRow = (manager) => writeRow(manager, own);
    const account = await this.directory.findAccountOf(name.issuerId, currentContext()?.span);
    if (account === null) {
      // The database refuses a row of an unknown issuer.
      await this.rehearse(write);
      throw new DatabaseUnavailableError();
    }
    if (inspected !== null) {
      return this.store.put(
        { ...name, accountId: accountIdOf(account) },
        { ...inspected, version: name.version, originalFilename: file.originalFilename },
        { replace, writeRow: write },
      );
    }
    // Nothing is sent for a row that the database would refuse, such as one whose public id is now another issuer's. No
    // transaction stays open during the upload.
    await this.rehearse(write);
    // Without `overwrite`, an asset that is not registered here is never replaced.
    const { content, originalFilename } = file;
    // Cloudinary removes what follows the last dot.
    const filename = originalFilename && `${originalFilename}.${own.format}`;
    const uploaded = await this.uploader.upload(account, name, { content, filename }, { overwrite: replace });
    // The same content again is the retry of a request whose row was not written.
    if (!replace && uploaded.existing && uploaded.etag !== md5(content)) {
      throw new OriginalExistsError(uploaded);
    }
    const { version, format } = uploaded;
    await this.dataSource.transaction((manager) => writeRow(manager, { version, format }));
  }

  /** One at a time: at the limit of pixels a WebP needs up to 0.4 GB of memory, an AVIF 0.9 GB. */
  private async inspect(content: Buffer): Promise<InspectedOriginal> {
    const isConverted = findConvertedFormat(content) !== null;
    const turn = this.turns.get(isConverted) ?? Promise.resolve();
    const inspection = turn.then(() => inspectOriginal(content));
    this.turns.set(
      isConverted,
      inspection.catch(() => undefined),
    );
    return inspection;
  }

  /** Runs a write and rolls it back: only the database knows what it would refuse. */
  private async rehearse(write: WriteRow): Promise<void> {
    const queryRunner = this.dataSource.createQueryRunner();
    try {
      await queryRunner.startTransaction();
      await write(queryRunner.manager);
    } finally {
      // It fails only if the connection is closed.
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
