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

/** Milliseconds after which a half-written file is a killed process's, and nobody's work. */
const LEFTOVER_AGE = 3_600_000;

/** The name by which images and overlays have an original. */
export interface OriginalName {
  readonly publicId: string;
  readonly deliveryType: DeliveryType;
}

/** An original's name, and whose it is. */
export interface OwnedOriginal extends OriginalName {
  readonly issuerId: string;
}

/** Writes, in the transaction that it is given, the row that names an original. */
export type WriteRow = (manager: EntityManager) => Promise<unknown>;

/**
 * The originals that this service keeps itself: a row for each name, a file for each content, under
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

  /** An original's bytes, or null where none is kept under the name. */
  async find(deliveryType: DeliveryType, publicId: string): Promise<Buffer | null> {
    const row = await this.findRow({ deliveryType, publicId });
    return row === null ? null : this.files.find(row.sha256);
  }

  /** What is known of an original; its `sha256` changes when it is replaced, which its name does not. */
  async findRow({ deliveryType, publicId }: OriginalName): Promise<OriginalEntity | null> {
    return this.rows.findOneBy({ deliveryType, publicId });
  }

  /**
   * Keeps an original and writes the row that names it: both or neither.
   * @throws OriginalExistsError (409) for another content under the name, unless `replace`; what `writeRow` throws.
   */
  async put(
    name: OwnedOriginal,
    original: InspectedOriginal & { readonly version: number },
    { replace, writeRow }: { readonly replace: boolean; readonly writeRow: WriteRow },
  ): Promise<void> {
    const { content, sha256, format, width, height, version } = original;
    const { publicId, deliveryType, issuerId } = name;
    const staged = await this.files.stage(sha256, content);
    let before: OriginalEntity | null;
    try {
      before = await this.dataSource.transaction(async (manager) => {
        // First the row, then its name, as whoever updates a row gets them: the other way round they wait for each other.
        await writeRow(manager);
        // The triggers' lock of a name: the original under it stays as it is read here.
        await manager.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [publicId]);
        const found = await manager.findOneBy(OriginalEntity, { publicId, deliveryType });
        if (!replace && found !== null && found.sha256 !== sha256) throw new OriginalExistsError();
        await lockContent(manager, sha256);
        await manager.upsert(
          OriginalEntity,
          { publicId, deliveryType, issuerId, sha256, bytes: content.length, format, width, height, version },
          ['publicId', 'deliveryType'],
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

  /** Runs a write after which a row may name its original no more, and then removes the file that nothing names. */
  async removeOrphanAfter(name: OriginalName, write: () => Promise<unknown>): Promise<void> {
    const before = await this.findRow(name);
    await write();
    if (before !== null) await this.removeUnnamed(before.sha256);
  }

  /**
   * After the transaction, never in it: a file that a rollback names again would be gone. The lock keeps one that is
   * being named anew. What cannot be removed now takes room and does no harm.
   */
  private async removeUnnamed(sha256: string): Promise<void> {
    try {
      await this.dataSource.transaction(async (manager) => {
        await lockContent(manager, sha256);
        if (!(await manager.existsBy(OriginalEntity, { sha256 }))) await this.files.remove(sha256);
      });
    } catch (error) {
      this.logger.warn(`A file that no original names could not be removed: ${String(error)}`);
    }
  }
}

async function lockContent(manager: EntityManager, sha256: string): Promise<void> {
  await manager.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 1))', [sha256]);
}
