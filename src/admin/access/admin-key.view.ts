import { ApiProperty } from '@nestjs/swagger';
import { SCOPES } from '../../platform/actor/actor.js';
import type { AdminKeyEntity } from '../../platform/database/entities/admin-key.entity.js';
import { PageViewOf } from '../requests/page.view.js';

/** An admin key in the admin API, without the key itself. */
export class AdminKeyView {
  @ApiProperty({ format: 'uuid', description: 'A UUID.' }) readonly id: string;
  @ApiProperty({ description: 'Its owner or purpose.' }) readonly name: string;
  @ApiProperty({ description: 'The key starts with `pxs_<prefix>_`.' }) readonly prefix: string;
  @ApiProperty({ enum: SCOPES, isArray: true, description: 'What it allows.' })
  readonly scopes: readonly string[];
  @ApiProperty({
    type: String,
    format: 'uuid',
    nullable: true,
    description: 'The issuer that it is bound to; null for none.',
  })
  readonly issuer_id: string | null;
  @ApiProperty({ type: Date, nullable: true, description: 'When it expires; null: never.' })
  readonly expires_at: Date | null;
  @ApiProperty({ description: 'When it was created.' }) readonly created_at: Date;
  @ApiProperty({ type: Date, nullable: true, description: 'Accurate to about a minute; null: never.' })
  readonly last_used_at: Date | null;

  constructor(row: AdminKeyEntity) {
    this.id = row.id;
    this.name = row.name;
    this.prefix = row.prefix;
    this.scopes = row.scopes;
    this.issuer_id = row.issuerId;
    this.expires_at = row.expiresAt;
    this.created_at = row.createdAt;
    this.last_used_at = row.lastUsedAt;
  }
}

/** A new admin key, with the key itself, which no other response contains. */
export class NewAdminKeyView extends AdminKeyView {
  @ApiProperty({ description: 'To send as `Authorization: Bearer <key>`. It is not shown again.' })
  readonly key: string;

  constructor(row: AdminKeyEntity, key: string) {
    super(row);
    this.key = key;
  }
}

export class AdminKeyPageView extends PageViewOf(AdminKeyView) {}
