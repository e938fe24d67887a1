import { join } from 'node:path';
import { Inject, Injectable, Logger, type OnModuleInit } from '@nestjs/common';
import { DataSource, type EntityManager, type Repository } from 'typeorm';
import { ENVIRONMENT } from '../platform/config/config.module.js';
import type { Environment } from '../platform/config/environment.js';
import type { DeliveryType } from '../domain/image.js';
import type { InspectedOriginal } from './inspect-original.js';
import { OriginalFiles } from './original-files.js';
import { OriginalEntity } from '../platform/database/entities/original.entity.js';
import { OriginalExistsError } from './original.errors.js';

/** Milliseconds after which an incomplete file is that of a killed process. */
const LEFTOVER_AGE = 3_600_000;

/** The public id of an original, and its delivery type. */
export interface OriginalName {
  /** The account that has the public id, of `accountIdOf`. */
  readonly accountId: string;
  readonly publicId: string;
  readonly deliveryType: DeliveryType;
}

/** An original's public id, and its issuer. */
export interface OwnedOriginal extends OriginalName {
  readonly issuerId: string;
}

/** Writes the row of an original, in the given transaction. */
export type WriteRow = (manager: EntityManager) => Promise<unknown>;

/**
 * The originals that this service stores: a row for each public id, a file for each content, under
 * `DATA_DIR/originals`. Replicas on one database share that folder.
 */
@Injectable()
export class OriginalsStore implements OnModuleInit {
  private readonly logger = new Logger(OriginalsStore.name);
  private readonly files: OriginalFiles;
  private readonly rows: Repository<OriginalEntity>;

  constructor(
    private readonly dataSource: DataSource,
    @Inject(ENVIRONMENT) { dataDir }: Pick<Environment, 'dataDir'>,
  ) {
    this.files = new OriginalFiles(join(dataDir, 'originals'));
    this.rows = dataSource.getRepository(OriginalEntity);
  }

  async onModuleInit(): Promise<void> {
    await this.files.removeLeftovers(LEFTOVER_AGE);
  }

  /** The path of a file by its content, which may not exist. */
  pathOf(sha256: string): string {
    return this.files.pathOf(sha256);
  }

  /** An original's row. Its `sha256` changes when it is replaced. */
  async findRow({ accountId, deliveryType, publicId }: OriginalName): Promise<OriginalEntity | null> {
    return this.rows.findOneBy({ accountId, deliveryType, publicId });
  }

  /**
   * Stores an original and writes its row: both or neither.
   * @throws OriginalExistsError (409) for another content under the public id, unless `replace`; what `writeRow` throws.
   */
  async put(
    name: OwnedOriginal,
    original: InspectedOriginal & Pick<OriginalEntity, 'version' | 'originalFilename'>,
    { replace, writeRow }: { readonly replace: boolean; readonly writeRow: WriteRow },
  ): Promise<void> {
    const { content, sha256, format, width, height, version, originalFilename } = original;
    const { accountId, publicId, deliveryType, issuerId } = name;
    const staged = await this.files.stage(sha256, content);
    let before: OriginalEntity | null;
    try {
      before = await this.dataSource.transaction(async (manager) => {
        // First the row, then its public id, in the order of every update: otherwise they could deadlock.
        await writeRow(manager);
        // The triggers' lock of a public id: its original cannot change meanwhile.
        await manager.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [publicId]);
        const found = await manager.findOneBy(OriginalEntity, { accountId, publicId, deliveryType });
        if (!replace && found !== null && found.sha256 !== sha256) throw new OriginalExistsError();
        await lockContent(manager, sha256);
        await manager.upsert(
          OriginalEntity,
          {
            ...{ accountId, publicId, deliveryType, issuerId, sha256, bytes: content.length },
            ...{ format, width, height, version, originalFilename },
          },
          ['publicId', 'deliveryType', 'accountId'],
        );
        await staged.place();
        return found;
      });
    } catch (error) {
      await this.removeUnnamed(sha256);
      throw error;
    } finally {
      await staged.discard();
    }
    if (before !== null && before.sha256 !== sha256) await this.removeUnnamed(before.sha256);
  }

  /** Runs a write, and then removes the original's file if no row refers to it any longer. */
  async removeOrphanAfter(name: OriginalName, write: () => Promise<unknown>): Promise<void> {
    const before = await this.findRow(name);
    await write();
    if (before !== null) await this.removeUnnamed(before.sha256);
  }

  /**
   * After the transaction, never in it: a rollback would refer to a file that no longer exists. The lock protects a file
   * that another transaction is registering. A file that cannot be removed only takes space.
   */
  private async removeUnnamed(sha256: string): Promise<void> {
    try {
      await this.dataSource.transaction(async (manager) => {
        await lockContent(manager, sha256);
        if (!(await manager.existsBy(OriginalEntity, { sha256 }))) await this.files.remove(sha256);
      });
    } catch (error) {
      this.logger.warn(`An unused file could not be removed: ${String(error)}`);
    }
  }
}

async function lockContent(manager: EntityManager, sha256: string): Promise<void> {
  await manager.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 1))', [sha256]);
}
