import {
  Column,
  CreateDateColumn,
  Entity,
  JoinColumn,
  ManyToOne,
  PrimaryColumn,
  type Relation,
} from 'typeorm';
import { ENVIRONMENT_ACCOUNT_ID } from '../../../domain/account.js';
import type { DeliveryType } from '../../../domain/image.js';
import { IssuerEntity } from './issuer.entity.js';

/**
 * An original that this service stores, under the public id of its images and overlays. Triggers delete the row with the
 * last image or overlay of that public id, and rename it with them.
 */
@Entity({ name: 'originals' })
export class OriginalEntity {
  @PrimaryColumn('varchar', { name: 'public_id', length: 255 })
  publicId!: string;

  @PrimaryColumn('varchar', { name: 'delivery_type', length: 13 })
  deliveryType!: DeliveryType;

  @PrimaryColumn('uuid', { name: 'account_id', default: ENVIRONMENT_ACCOUNT_ID })
  accountId!: string;

  @Column('uuid', { name: 'issuer_id' })
  issuerId!: string;

  @ManyToOne(() => IssuerEntity, { onDelete: 'RESTRICT' })
  @JoinColumn({ name: 'issuer_id' })
  issuer!: Relation<IssuerEntity>;

  /** Hexadecimal; names the file too. */
  @Column('char', { length: 64 })
  sha256!: string;

  @Column('integer')
  bytes!: number;

  /** As Cloudinary spells it: `jpg`, `png`, `webp`, `avif`, `gif`, `tif`. */
  @Column('varchar', { length: 10 })
  format!: string;

  /** Pixels of a frame, as stored: an EXIF orientation is not applied. */
  @Column('integer')
  width!: number;

  @Column('integer')
  height!: number;

  /** Of the uploaded file, without its extension, as Cloudinary names it; null if the upload had none. */
  @Column('varchar', { name: 'original_filename', length: 200, nullable: true })
  originalFilename!: string | null;

  // The driver returns a bigint as text; the API's limit is a safe integer.
  @Column('bigint', {
    transformer: { from: (text: string) => Number(text), to: (version: number) => version },
  })
  version!: number;

  @CreateDateColumn({ name: 'created_at', type: 'timestamptz' })
  createdAt!: Date;
}
