import { Column, Entity, UpdateDateColumn } from 'typeorm';
import type { UrlSignature } from '../../../domain/url-signature.js';
import { RowEntity } from './row.entity.js';

/** A Cloudinary account. That of the environment has no row. */
@Entity({ name: 'accounts' })
export class AccountEntity extends RowEntity {
  @Column('varchar', { length: 200 })
  name!: string;

  @Column('varchar', { name: 'cloud_name', length: 64 })
  cloudName!: string;

  /** The host of its delivery URLs; null for Cloudinary's own. */
  @Column('varchar', { length: 253, nullable: true })
  host!: string | null;

  @Column('boolean', { name: 'private_cdn', default: false })
  privateCdn!: boolean;

  /** Origin of the upload API. */
  @Column('varchar', { name: 'upload_prefix', length: 300, default: 'https://api.cloudinary.com' })
  uploadPrefix!: string;

  @Column('varchar', { length: 6, default: 'sha1' })
  signature!: UrlSignature;

  /** The encrypted key of `__cld_token__` (`SecretBox`), selected only by name; null for URLs that never expire. */
  @Column('bytea', { name: 'auth_token_key', nullable: true, select: false })
  authTokenKey!: Buffer | null;

  @Column('boolean', { default: false })
  disabled!: boolean;

  @UpdateDateColumn({ name: 'updated_at', type: 'timestamptz' })
  updatedAt!: Date;
}
