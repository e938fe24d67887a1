import { randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager, type FindOptionsWhere, type SelectQueryBuilder } from 'typeorm';
import { DirectoryService } from '../../directory/directory.service.js';
import { canonicalUuid } from '../../domain/uuid.js';
import { OriginalsService, type StoredOriginal } from '../../originals/originals.service.js';
import { OriginalsStore } from '../../originals/originals.store.js';
import type { UploadedFile } from '../../originals/uploaded-file.js';
import { canAccess, tenantFilter } from '../../platform/actor/actor.js';
import type { AssetEntity } from '../../platform/database/entities/asset.entity.js';
import { IssuerNotFoundError } from '../issuers/issuer.errors.js';
import { omitUndefined, type WithoutUndefined } from '../requests/omit-undefined.js';
import { contains, findPage, type Page } from '../requests/page.js';
import { type AssetKind, translateAssetErrors } from '../requests/write-conflicts.js';
import { writeWithKnownEvents } from './known-events.js';
import type { CreateAssetDto, ListAssetsDto, UpdateAssetDto } from './asset.dto.js';

/** Some columns of a row; undefined ones are not written. */
export type Columns<Row> = { readonly [Column in keyof Row]?: Row[Column] | undefined };

/** Reads and writes the actor's images or overlays. */
@Injectable()
export abstract class AssetsService<
  Row extends AssetEntity,
  Create extends CreateAssetDto & Update,
  Update extends UpdateAssetDto,
> {
  protected abstract readonly kind: AssetKind;
  protected abstract readonly entity: new () => Row;
  /** Selects rows that are not deleted. */
  protected abstract readonly live: object;
  /** Of a new row, besides `columnsOf`. */
  protected abstract readonly defaults: Partial<Row>;

  constructor(
    private readonly dataSource: DataSource,
    private readonly directory: DirectoryService,
    private readonly originals: OriginalsService,
    private readonly store: OriginalsStore,
  ) {}

  /**
   * @param original The file, if it is uploaded too.
   * @throws IdTakenError, PublicIdTakenError (409) @throws IssuerNotFoundError (404); what `OriginalsService` throws.
   */
  async create(dto: Create, original?: UploadedFile): Promise<Row> {
    if (!canAccess(dto.issuer_id)) throw new IssuerNotFoundError();
    const row = Object.assign(
      new this.entity(),
      { id: dto.id ?? randomUUID(), issuerId: dto.issuer_id, rejectedAt: null },
      this.defaults,
      this.changesOf(dto),
    );
    const insert = (rows: EntityManager): Promise<unknown> => rows.insert<AssetEntity>(this.entity, row);
    await translateAssetErrors(
      this.dataSource.manager,
      this.kind,
      row,
      original === undefined
        ? this.dataSource.transaction(async (rows) => {
            // An original that is uploaded here is of a new asset: nothing is known of it.
            const isChanged = await writeWithKnownEvents(rows, this.kind, row.id, () => insert(rows));
            if (isChanged) Object.assign(row, await this.get(row.id, rows));
          })
        : this.originals.create(Object.assign({ version: unixNow() }, row), original, (rows, stored) => {
            Object.assign(row, this.originalColumns(stored));
            return insert(rows);
          }),
    );
    this.invalidate(row);
    return row;
  }

  /** @throws what `requireRow` throws. */
  async get(id: string, rows: EntityManager = this.dataSource.manager): Promise<Row> {
    const uuid = canonicalUuid(id);
    if (uuid === null) return this.requireRow(null);
    const where = { id: uuid, ...tenantFilter() } as FindOptionsWhere<Row>;
    return this.requireRow(await rows.findOne(this.entity, { where, withDeleted: true }));
  }

  list(query: ListAssetsDto): Promise<Page<Row>> {
    return findPage(this.select(query), query);
  }

  /** @throws PublicIdTakenError (409); what `requireRow` throws. */
  async update(id: string, dto: Update): Promise<Row> {
    const row = await this.get(id);
    const changes = this.changesOf(dto);
    let changed = row;
    await this.store.removeOrphanAfter(row, async () => {
      changed = await translateAssetErrors(
        this.dataSource.manager,
        this.kind,
        Object.assign({}, row, changes),
        this.dataSource.transaction(async (rows) => {
          const write = (): Promise<unknown> =>
            rows.update<AssetEntity>(this.entity, { id: row.id, ...tenantFilter() }, changes);
          const isRenamed = changes.publicId !== undefined || changes.deliveryType !== undefined;
          await (isRenamed ? writeWithKnownEvents(rows, this.kind, row.id, write) : write());
          return this.get(row.id, rows);
        }),
      );
    });
    this.invalidate(row);
    return changed;
  }

  /** Replaces the original under the same public id. @throws what `requireRow` and `OriginalsService` throw. */
  async replaceOriginal(id: string, original: UploadedFile): Promise<Row> {
    const row = await this.get(id);
    const { issuerId, publicId, deliveryType } = row;
    const name = { issuerId, publicId, deliveryType };
    await this.originals.replace(
      { ...name, version: Math.max(unixNow(), this.versionOf(row) + 1) },
      original,
      async (rows, stored) => {
        const unchanged = { id: row.id, ...tenantFilter(), ...name, ...this.live };
        const { affected } = await rows.update<AssetEntity>(
          this.entity,
          unchanged,
          this.originalColumns(stored),
        );
        if (affected !== 1) this.requireRow(null);
      },
    );
    this.invalidate(row);
    return this.get(row.id);
  }

  /** The public id is retained for the issuer. @throws what `requireRow` throws. */
  async delete(id: string): Promise<void> {
    const row = await this.get(id);
    await this.store.removeOrphanAfter(row, () =>
      this.dataSource.transaction((rows) => this.remove(rows, row.id)),
    );
    this.invalidate(row);
  }

  /** Returns an existing row. @throws for null, and for a deleted row. */
  protected abstract requireRow(row: Row | null): Row;

  /** The columns of a request that only this kind has. */
  protected abstract columnsOf(dto: Update): Columns<Row>;

  /** The columns that describe a stored original. */
  protected abstract originalColumns(stored: StoredOriginal): Partial<Row>;

  /** The version that a new original's must exceed, since caches may have its URL. */
  protected abstract versionOf(row: Row): number;

  protected select({
    issuer_id: issuer,
    public_id: publicId,
    search,
  }: ListAssetsDto): SelectQueryBuilder<Row> {
    const rows = this.dataSource.getRepository(this.entity).createQueryBuilder('asset').where(tenantFilter());
    if (issuer !== undefined) rows.andWhere('asset.issuerId = :issuer', { issuer });
    if (publicId !== undefined) rows.andWhere('asset.publicId = :publicId', { publicId });
    if (search !== undefined) contains(rows, 'publicId', search);
    return rows;
  }

  protected remove(rows: EntityManager, id: string): Promise<unknown> {
    return rows.delete<AssetEntity>(this.entity, { id, ...tenantFilter() });
  }

  private changesOf(dto: Update): WithoutUndefined<Columns<AssetEntity>> {
    return omitUndefined({
      publicId: dto.public_id,
      deliveryType: dto.delivery_type,
      ...this.columnsOf(dto),
    });
  }

  private invalidate({ id, issuerId }: AssetEntity): void {
    this.directory.rowChanged({ table: `${this.kind}s`, id, issuer_id: issuerId });
  }
}

/** Cloudinary's versions are Unix seconds. */
function unixNow(): number {
  return Math.floor(Date.now() / 1_000);
}
