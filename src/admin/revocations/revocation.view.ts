import { ApiProperty } from '@nestjs/swagger';
import type { RevocationEntity } from '../../platform/database/entities/revocation.entity.js';
import { PageViewOf } from '../requests/page.view.js';

/** A revocation in the admin API: one of `jti` and `session_id` is set. */
export class RevocationView {
  @ApiProperty({ format: 'uuid', description: 'A UUID.' }) readonly id: string;
  @ApiProperty({ format: 'uuid', description: 'The issuer of the tokens.' }) readonly issuer_id: string;
  @ApiProperty({
    type: String,
    nullable: true,
    description: 'The `jti` of the token; null for a session.',
  })
  readonly jti: string | null;
  @ApiProperty({
    type: String,
    nullable: true,
    description: 'The `session_id` of the tokens; null for one token.',
  })
  readonly session_id: string | null;
  @ApiProperty({ description: 'When it was created.' }) readonly revoked_at: Date;
  @ApiProperty({
    type: Date,
    nullable: true,
    description: 'When the last of the tokens expires; null: the revocation is kept.',
  })
  readonly expires_at: Date | null;

  constructor(row: RevocationEntity) {
    this.id = row.id;
    this.issuer_id = row.issuerId;
    this.jti = row.kind === 'token' ? row.value : null;
    this.session_id = row.kind === 'session' ? row.value : null;
    this.revoked_at = row.revokedAt;
    this.expires_at = row.expiresAt;
  }
}

export class RevocationPageView extends PageViewOf(RevocationView) {}
