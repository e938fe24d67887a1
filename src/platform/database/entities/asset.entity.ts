import { Column, JoinColumn, ManyToOne, UpdateDateColumn, type Relation } from 'typeorm';
import { ENVIRONMENT_ACCOUNT_ID } from '../../../domain/account.js';
import type { DeliveryType } from '../../../domain/image.js';
import { IssuerEntity } from './issuer.entity.js';
import { RowEntity } from './row.entity.js';

/** An asset in Cloudinary that belongs to an issuer: an image or an overlay. */
export abstract class AssetEntity extends RowEntity {
  @Column('uuid', { name: 'issuer_id' })
  issuerId!: string;

  @ManyToOne(() => IssuerEntity, { onDelete: 'RESTRICT' })
  @JoinColumn({ name: 'issuer_id' })
  issuer!: Relation<IssuerEntity>;

  @Column('varchar', { name: 'public_id', length: 255 })
  publicId!: string;

  /** Set by a trigger: the account of the issuer; `ENVIRONMENT_ACCOUNT_ID` without one. */
  @Column({
    type: 'uuid',
    name: 'account_id',
    insert: false,
    update: false,
    default: ENVIRONMENT_ACCOUNT_ID,
  })
  accountId!: string;

  /** Its column is declared by the subclasses, whose defaults differ. */
  abstract deliveryType: DeliveryType;

  /** When Cloudinary's moderation rejected the asset, which is then not shown; null if it did not. */
  @Column('timestamptz', { name: 'rejected_at', nullable: true })
  rejectedAt!: Date | null;

  @UpdateDateColumn({ name: 'updated_at', type: 'timestamptz' })
  updatedAt!: Date;
}
