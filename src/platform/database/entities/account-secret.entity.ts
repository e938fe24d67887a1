import { Column, Entity, JoinColumn, ManyToOne, type Relation } from 'typeorm';
import { AccountEntity } from './account.entity.js';
import { RowEntity } from './row.entity.js';

/** An API key of an account with its secret. One signs; notifications signed with the others are accepted too. */
@Entity({ name: 'account_secrets' })
export class AccountSecretEntity extends RowEntity {
  @Column('uuid', { name: 'account_id' })
  accountId!: string;

  @ManyToOne(() => AccountEntity, { onDelete: 'CASCADE' })
  @JoinColumn({ name: 'account_id' })
  account!: Relation<AccountEntity>;

  @Column('varchar', { name: 'api_key', length: 64 })
  apiKey!: string;

  /** The encrypted secret (`SecretBox`); selected only by name. */
  @Column('bytea', { select: false })
  secret!: Buffer;

  /** Whether it signs URLs and API calls: exactly one of an account does. */
  @Column('boolean', { default: false })
  signs!: boolean;

  /** From then on its notifications are refused; null for never, as for the one that signs. */
  @Column('timestamptz', { name: 'not_after', nullable: true })
  notAfter!: Date | null;
}
