import { Column, Entity, PrimaryColumn } from 'typeorm';
import { ENVIRONMENT_ACCOUNT_ID } from '../../../domain/account.js';
import type { DeliveryType } from '../../../domain/image.js';

/** The latest event of an asset: older events that arrive later are ignored. */
@Entity({ name: 'cloudinary_assets' })
export class AssetStateEntity {
  @PrimaryColumn('varchar', { name: 'delivery_type', length: 13 })
  deliveryType!: DeliveryType;

  @PrimaryColumn('varchar', { name: 'public_id', length: 255 })
  publicId!: string;

  @PrimaryColumn('uuid', { name: 'account_id', default: ENVIRONMENT_ACCOUNT_ID })
  accountId!: string;

  /** The time of the event. */
  @Column('timestamptz')
  at!: Date;

  /** Of the newest upload received; null for none. */
  @Column('bigint', {
    nullable: true,
    transformer: {
      from: (text: string | null) => (text === null ? null : Number(text)),
      to: (version: number | null) => version,
    },
  })
  version!: number | null;

  @Column('varchar', { length: 10, nullable: true })
  format!: string | null;

  /** Whether the asset was deleted. */
  @Column('boolean', { default: false })
  gone!: boolean;

  /** The public id that the asset was renamed to; null where it was not. */
  @Column('varchar', { name: 'moved_to', length: 255, nullable: true })
  movedTo!: string | null;

  /** The time of the latest outcome of the asset's moderation; null if none was received. */
  @Column('timestamptz', { name: 'moderated_at', nullable: true })
  moderatedAt!: Date | null;

  /** That outcome. */
  @Column('boolean', { default: false })
  rejected!: boolean;

  /** When Cloudinary's access control restricted the asset last; null if it did not. */
  @Column('timestamptz', { name: 'restricted_at', nullable: true })
  restrictedAt!: Date | null;

  /** The asset's folder in an account with dynamic folders, without slashes at its ends; null if none was received. */
  @Column('text', { nullable: true })
  folder!: string | null;

  /** When the asset was there last. */
  @Column('timestamptz', { name: 'folder_at', nullable: true })
  folderAt!: Date | null;

  /** The image that was deleted with the asset and is restored with it. */
  @Column('uuid', { name: 'image_id', nullable: true })
  imageId!: string | null;

  /** The overlay that was deleted with the asset: its whole row, which no longer exists. */
  @Column('uuid', { name: 'overlay_id', nullable: true })
  overlayId!: string | null;

  @Column('uuid', { name: 'overlay_issuer_id', nullable: true })
  overlayIssuerId!: string | null;
}
