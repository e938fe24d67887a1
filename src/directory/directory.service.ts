import { createSecretKey } from 'node:crypto';
import { Injectable, Logger } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { ChangeFeed, type ChangeListener, type RowChange } from '../database/change-feed.js';
import { ImageEntity } from '../images/image.entity.js';
import type { Image } from '../images/image.js';
import { IssuerKeyEntity } from '../issuers/issuer-key.entity.js';
import { IssuerEntity } from '../issuers/issuer.entity.js';
import { IssuerFinder, type Issuer, type SigningKey } from '../issuers/issuer.js';
import { issuerKeyPlace } from '../issuers/issuer-key-place.js';
import { OverlayEntity } from '../overlays/overlay.entity.js';
import type { Overlay } from '../overlays/overlay.js';
import { readStoredPolicy } from '../policy/compile-policy.js';
import type { Policy } from '../policy/policy.js';
import { SecretBox } from '../secrets/secret-box.js';
import { DatabaseUnavailableError } from './directory.errors.js';
import { RecordCache, type Lifetimes } from './record-cache.js';

const MAX_ISSUERS = 10_000;
const MAX_IMAGES = 50_000;
const MAX_OVERLAYS = 10_000;

/** Milliseconds: the net below the change feed, and what stands in for it while it is lost. */
const LIVE: Lifetimes = { found: 60_000, missing: 5_000 };
const FEED_LOST: Lifetimes = { found: 1_000, missing: 1_000 };

/**
 * What this process knows of the database (design §4): the way of a warm redirect asks it alone and does no I/O.
 * Every look-up is within one issuer; a row of another issuer is one that does not exist.
 */
@Injectable()
export class DirectoryService extends IssuerFinder implements ChangeListener {
  private readonly logger = new Logger(DirectoryService.name);
  private lifetimes = FEED_LOST;
  private readonly issuers = new RecordCache<Issuer>(MAX_ISSUERS, () => this.lifetimes);
  private readonly images = new RecordCache<Image>(MAX_IMAGES, () => this.lifetimes);
  private readonly overlays = new RecordCache<Overlay>(MAX_OVERLAYS, () => this.lifetimes);

  constructor(
    private readonly dataSource: DataSource,
    private readonly secretBox: SecretBox,
    changeFeed: ChangeFeed,
  ) {
    super();
    changeFeed.subscribe(this);
  }

  /** An issuer with its keys. @throws DatabaseUnavailableError (503) */
  findIssuer(id: string): Promise<Issuer | null> {
    return this.issuers.get(id, () => this.ask(() => this.loadIssuer(id)));
  }

  /** An image of this issuer, deleted ones among them. @throws DatabaseUnavailableError (503) */
  findImage(issuerId: string, id: string): Promise<Image | null> {
    return this.images.get(`${issuerId}/${id}`, () => this.ask(() => this.loadImage({ id, issuerId })));
  }

  /** An image that may be seen without a token, whoever's it is. @throws DatabaseUnavailableError (503) */
  findPublicImage(id: string): Promise<Image | null> {
    return this.images.get(id, () => this.ask(() => this.loadImage({ id, access: 'public' })));
  }

  /** An overlay of this issuer. @throws DatabaseUnavailableError (503) */
  findOverlay(issuerId: string, id: string): Promise<Overlay | null> {
    return this.overlays.get(`${issuerId}/${id}`, () => this.ask(() => this.loadOverlay(issuerId, id)));
  }

  /** Forgets a row: called by the change feed, and by writers so that they read their own writes. */
  rowChanged({ table, id, issuer_id: issuerId }: RowChange): void {
    switch (table) {
      case 'issuers':
      case 'issuer_keys':
        this.issuers.invalidate(issuerId);
        return;
      case 'images':
        this.images.invalidate(id);
        this.images.invalidate(`${issuerId}/${id}`);
        return;
      case 'overlays':
        this.overlays.invalidate(`${issuerId}/${id}`);
    }
  }

  liveChanged(live: boolean): void {
    this.lifetimes = live ? LIVE : FEED_LOST;
    // Changes may have been missed; and without the feed, entries with a long life must go.
    this.issuers.clear();
    this.images.clear();
    this.overlays.clear();
  }

  private async ask<T>(load: () => Promise<T>): Promise<T> {
    try {
      return await load();
    } catch (error) {
      this.logger.error(
        `The database did not answer: ${error instanceof Error ? error.message : 'unknown error'}`,
      );
      throw new DatabaseUnavailableError();
    }
  }

  private async loadIssuer(id: string): Promise<Issuer | null> {
    const row = await this.dataSource.getRepository(IssuerEntity).findOneBy({ id });
    if (row === null) return null;
    const keys = await this.dataSource
      .getRepository(IssuerKeyEntity)
      .createQueryBuilder('key')
      .addSelect('key.secret')
      .where({ issuerId: id })
      .orderBy({ 'key.createdAt': 'DESC', 'key.id': 'DESC' })
      .getMany();
    return {
      id: row.id,
      disabled: row.disabled,
      deliveryFormat: row.deliveryFormat,
      policy: this.openPolicy(row),
      keys: keys.map((key) => this.openKey(key)),
    };
  }

  private openPolicy(row: IssuerEntity): Policy | null {
    const policy = readStoredPolicy(row.policy);
    if (policy === null) this.logger.error(`The stored policy of issuer ${row.id} cannot be read.`);
    return policy;
  }

  private openKey(key: IssuerKeyEntity): SigningKey {
    return {
      id: key.id,
      algorithm: key.algorithm,
      secret: createSecretKey(this.secretBox.open(key.secret, issuerKeyPlace(key.issuerId, key.id))),
      notBefore: key.notBefore,
      notAfter: key.notAfter,
    };
  }

  private async loadImage(where: {
    id: string;
    issuerId?: string;
    access?: 'public';
  }): Promise<Image | null> {
    const row = await this.dataSource.getRepository(ImageEntity).findOne({ where, withDeleted: true });
    if (row === null) return null;
    const { id, issuerId, publicId, version, deliveryType, access, deletedAt } = row;
    return { id, issuerId, publicId, version, deliveryType, access, deleted: deletedAt !== null };
  }

  private async loadOverlay(issuerId: string, id: string): Promise<Overlay | null> {
    const row = await this.dataSource.getRepository(OverlayEntity).findOneBy({ id, issuerId });
    return row && { id: row.id, publicId: row.publicId, deliveryType: row.deliveryType };
  }
}
