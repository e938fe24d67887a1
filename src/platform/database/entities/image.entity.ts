import {
  Column,
  CreateDateColumn,
  DeleteDateColumn,
  Entity,
  JoinColumn,
  ManyToOne,
  PrimaryColumn,
  UpdateDateColumn,
  type Relation,
} from 'typeorm';
import { IssuerEntity } from './issuer.entity.js';
import type { DeliveryType, ImageAccess } from '../../../domain/image.js';

/** An original in Cloudinary. A deleted one stays as a row that returns 410. */
@Entity({ name: 'images' })
export class ImageEntity {
  @PrimaryColumn('uuid')
  id!: string;

  @Column('uuid', { name: 'issuer_id' })
  issuerId!: string;

  @ManyToOne(() => IssuerEntity, { onDelete: 'RESTRICT' })
  @JoinColumn({ name: 'issuer_id' })
  issuer!: Relation<IssuerEntity>;

  @Column('varchar', { name: 'public_id', length: 255 })
  publicId!: string;

  // The driver returns a bigint as text; the API's limit is a safe integer.
  @Column('bigint', {
    transformer: { from: (text: string) => Number(text), to: (version: number) => version },
  })
  version!: number;

  /** Of the original, for the record: the URL ends in the issuer's delivery format. */
  @Column('varchar', { length: 10, nullable: true })
  format!: string | null;

  @Column('varchar', { name: 'delivery_type', length: 13, default: 'authenticated' })
  deliveryType!: DeliveryType;

  @Column('varchar', { length: 6, default: 'token' })
  access!: ImageAccess;

  /** Tokens with an older `iat`, or without one, are refused. */
  @Column('timestamptz', { name: 'not_before', nullable: true })
  notBefore!: Date | null;

  @CreateDateColumn({ name: 'created_at', type: 'timestamptz' })
  createdAt!: Date;

  @UpdateDateColumn({ name: 'updated_at', type: 'timestamptz' })
  updatedAt!: Date;

  @DeleteDateColumn({ name: 'deleted_at', type: 'timestamptz', nullable: true })
  deletedAt!: Date | null;
}
