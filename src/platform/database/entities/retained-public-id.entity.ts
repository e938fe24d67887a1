import { Column, Entity, Index, PrimaryColumn } from 'typeorm';
import { ENVIRONMENT_ACCOUNT_ID } from '../../../domain/account.js';
import type { DeliveryType } from '../../../domain/image.js';

/**
 * A public id without a row that only its last issuer may register: the asset may still be in the account. The
 * database's triggers insert one when the last row of a public id is deleted, and delete it when the issuer registers
 * the public id again.
 */
@Entity({ name: 'retained_public_ids' })
@Index('retained_public_ids_issuer_id', ['issuerId', 'id'])
export class RetainedPublicIdEntity {
  @PrimaryColumn('uuid')
  id!: string;

  @Column('varchar', { name: 'public_id', length: 255 })
  publicId!: string;

  @Column('varchar', { name: 'delivery_type', length: 13 })
  deliveryType!: DeliveryType;

  /** The account that has the asset; `ENVIRONMENT_ACCOUNT_ID` for that of the environment. */
  @Column('uuid', { name: 'account_id', default: ENVIRONMENT_ACCOUNT_ID })
  accountId!: string;

  /** The issuer may have been deleted since. */
  @Column('uuid', { name: 'issuer_id' })
  issuerId!: string;

  /**
   * Unix seconds: an event of the account that is older concerns another asset. The image's version, or the second in
   * which the overlay was written last.
   */
  @Column('bigint', { transformer: { from: Number, to: (version: number) => version } })
  version!: number;

  @Column('timestamptz', { name: 'retained_at', default: () => 'now()' })
  retainedAt!: Date;
}
