import { ApiProperty } from '@nestjs/swagger';
import type { RevocationEntity } from './revocation.entity.js';

/** A revocation as the admin API shows it: one of `jti` and `session_id` is set. */
export class RevocationView {
  @ApiProperty({ format: 'uuid' }) readonly id: string;
  @ApiProperty({ format: 'uuid' }) readonly issuer_id: string;
  @ApiProperty({ type: String, nullable: true }) readonly jti: string | null;
  @ApiProperty({ type: String, nullable: true }) readonly session_id: string | null;
  @ApiProperty() readonly revoked_at: Date;
  @ApiProperty({ type: Date, nullable: true }) readonly expires_at: Date | null;

  constructor(row: RevocationEntity) {
    this.id = row.id;
    this.issuer_id = row.issuerId;
    this.jti = row.kind === 'token' ? row.value : null;
    this.session_id = row.kind === 'session' ? row.value : null;
    this.revoked_at = row.revokedAt;
    this.expires_at = row.expiresAt;
  }
}

export class RevocationPageView {
  @ApiProperty({ type: [RevocationView] }) readonly items!: readonly RevocationView[];
  @ApiProperty({ type: String, nullable: true }) readonly next_cursor!: string | null;
}
