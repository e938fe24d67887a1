import { ApiProperty } from '@nestjs/swagger';
import { URL_SIGNATURES } from '../../domain/url-signature.js';
import type { AccountSecretEntity } from '../../platform/database/entities/account-secret.entity.js';
import type { AccountEntity } from '../../platform/database/entities/account.entity.js';
import { PageViewOf } from '../requests/page.view.js';

/** A Cloudinary account in the admin API, without its secrets. */
export class AccountView {
  @ApiProperty({ format: 'uuid', description: 'The `account_id` of its issuers.' }) readonly id: string;
  @ApiProperty({ description: 'Display name.' }) readonly name: string;
  @ApiProperty({ description: 'The cloud’s name.' }) readonly cloud_name: string;
  @ApiProperty({
    type: String,
    nullable: true,
    description: 'The host of its delivery URLs; null for Cloudinary’s own.',
  })
  readonly host: string | null;
  @ApiProperty({ description: 'Whether its URLs omit the cloud’s name.' }) readonly private_cdn: boolean;
  @ApiProperty({ description: 'The origin of the upload API.' }) readonly upload_prefix: string;
  @ApiProperty({ enum: URL_SIGNATURES, description: 'How its URLs are signed.' }) readonly signature: string;
  @ApiProperty({
    description: 'Whether its URLs have an expiring `__cld_token__`. The key is never shown.',
  })
  readonly has_auth_token_key: boolean;
  @ApiProperty({ description: 'Whether nothing is delivered, uploaded or received for its issuers.' })
  readonly disabled: boolean;
  @ApiProperty({ description: 'When it was created.' }) readonly created_at: Date;
  @ApiProperty({ description: 'When it was last changed.' }) readonly updated_at: Date;

  constructor(row: AccountEntity) {
    this.id = row.id;
    this.name = row.name;
    this.cloud_name = row.cloudName;
    this.host = row.host;
    this.private_cdn = row.privateCdn;
    this.upload_prefix = row.uploadPrefix;
    this.signature = row.signature;
    this.has_auth_token_key = row.authTokenKey !== null;
    this.disabled = row.disabled;
    this.created_at = row.createdAt;
    this.updated_at = row.updatedAt;
  }
}

/** An API key of an account, without its secret. */
export class AccountSecretView {
  @ApiProperty({ format: 'uuid', description: 'A UUID.' }) readonly id: string;
  @ApiProperty({ description: 'The API key.' }) readonly api_key: string;
  @ApiProperty({ description: 'Whether it signs URLs and API calls.' }) readonly signs: boolean;
  @ApiProperty({
    type: Date,
    nullable: true,
    description: 'From then on notifications signed with it are refused; null: never.',
  })
  readonly not_after: Date | null;
  @ApiProperty({ description: 'When it was created.' }) readonly created_at: Date;

  constructor(row: AccountSecretEntity) {
    this.id = row.id;
    this.api_key = row.apiKey;
    this.signs = row.signs;
    this.not_after = row.notAfter;
    this.created_at = row.createdAt;
  }
}

export class AccountWithSecretsView extends AccountView {
  @ApiProperty({ type: [AccountSecretView], description: 'Newest first.' })
  readonly secrets: readonly AccountSecretView[];

  constructor(row: AccountEntity, secrets: readonly AccountSecretEntity[]) {
    super(row);
    this.secrets = secrets.map((secret) => new AccountSecretView(secret));
  }
}

export class AccountPageView extends PageViewOf(AccountView) {}
