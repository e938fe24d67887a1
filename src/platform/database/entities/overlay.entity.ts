import {
  Column,
  CreateDateColumn,
  Entity,
  JoinColumn,
  ManyToOne,
  PrimaryColumn,
  UpdateDateColumn,
  type Relation,
} from 'typeorm';
import type { DeliveryType } from '../../../domain/image.js';
import { IssuerEntity } from './issuer.entity.js';

/** An image used as a layer. */
@Entity({ name: 'overlays' })
export class OverlayEntity {
  @PrimaryColumn('uuid')
  id!: string;

  @Column('uuid', { name: 'issuer_id' })
  issuerId!: string;

  @ManyToOne(() => IssuerEntity, { onDelete: 'RESTRICT' })
  @JoinColumn({ name: 'issuer_id' })
  issuer!: Relation<IssuerEntity>;

  @Column('varchar', { name: 'public_id', length: 255 })
  publicId!: string;

  @Column('varchar', { name: 'delivery_type', length: 13, default: 'private' })
  deliveryType!: DeliveryType;

  @CreateDateColumn({ name: 'created_at', type: 'timestamptz' })
  createdAt!: Date;

  @UpdateDateColumn({ name: 'updated_at', type: 'timestamptz' })
  updatedAt!: Date;
}
