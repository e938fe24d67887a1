import { ApiProperty } from '@nestjs/swagger';
import { PolicyDto } from './policy.dto.js';
import type { IssuerKeyEntity } from '../../platform/database/entities/issuer-key.entity.js';
import type { IssuerEntity } from '../../platform/database/entities/issuer.entity.js';
import { PageViewOf } from '../requests/page.view.js';

/** An issuer in the admin API. */
export class IssuerView {
  @ApiProperty({ format: 'uuid', description: 'The `iss` of its tokens.' }) readonly id: string;
  @ApiProperty({ description: 'Display name.' }) readonly name: string;
  @ApiProperty({ description: 'Extension of every delivered URL; `original`: the `format` of each image.' })
  readonly delivery_format: string;
  @ApiProperty({
    type: String,
    format: 'uuid',
    nullable: true,
    description: 'The Cloudinary account of its images and overlays; null: that of `CLOUDINARY_URL`.',
  })
  readonly account_id: string | null;
  @ApiProperty({ description: 'Whether its tokens are refused.' }) readonly disabled: boolean;
  @ApiProperty({
    type: Date,
    nullable: true,
    description: 'Tokens with an older `iat`, or none, are refused; null: no such limit.',
  })
  readonly not_before: Date | null;
  @ApiProperty({ type: PolicyDto, description: 'What its tokens may do; {} restricts nothing.' })
  readonly policy: object;
  @ApiProperty({ description: 'When it was created.' }) readonly created_at: Date;
  @ApiProperty({ description: 'When it was last changed.' }) readonly updated_at: Date;

  constructor(row: IssuerEntity) {
    this.id = row.id;
    this.name = row.name;
    this.delivery_format = row.deliveryFormat;
    this.account_id = row.accountId;
    this.disabled = row.disabled;
    this.not_before = row.notBefore;
    this.policy = row.policy;
    this.created_at = row.createdAt;
    this.updated_at = row.updatedAt;
  }
}

/** A key in the admin API, without its secret. */
export class KeyView {
  @ApiProperty({ format: 'uuid', description: 'The `kid` of its tokens.' }) readonly id: string;
  @ApiProperty({ enum: ['HS256', 'HS384', 'HS512'], description: 'The `alg` of its tokens.' })
  readonly algorithm: string;
  @ApiProperty({
    type: Date,
    nullable: true,
    description: 'When the key becomes valid; null: at once.',
  })
  readonly not_before: Date | null;
  @ApiProperty({
    type: Date,
    nullable: true,
    description: 'When the key expires; null: never.',
  })
  readonly not_after: Date | null;
  @ApiProperty({ type: 'integer', description: 'Accepted tokens, delayed by some seconds.' })
  readonly uses: number;
  @ApiProperty({ type: Date, nullable: true, description: 'Delayed by some seconds; null: never.' })
  readonly last_used_at: Date | null;
  @ApiProperty({ description: 'When it was created.' }) readonly created_at: Date;

  constructor(row: IssuerKeyEntity) {
    this.id = row.id;
    this.algorithm = row.algorithm;
    this.not_before = row.notBefore;
    this.not_after = row.notAfter;
    this.uses = row.use?.uses ?? 0;
    this.last_used_at = row.use?.lastUsedAt ?? null;
    this.created_at = row.createdAt;
  }
}

/** A new key with its secret, which no other response contains. */
export class NewKeyView extends KeyView {
  @ApiProperty({ description: 'To sign with, as its ASCII text. It is not shown again.' })
  readonly secret: string;

  @ApiProperty({ description: 'What a backend needs, as one URL: origin, issuer id, secret, `kid`.' })
  readonly dsn: string;

  constructor(row: IssuerKeyEntity, secret: string, origin: string) {
    super(row);
    this.secret = secret;
    const dsn = new URL(origin);
    dsn.username = row.issuerId;
    // The setter does not escape a percent sign.
    dsn.password = encodeURIComponent(secret);
    dsn.searchParams.set('kid', row.id);
    this.dsn = dsn.href;
  }
}

export class IssuerWithKeysView extends IssuerView {
  @ApiProperty({ type: [KeyView], description: 'Newest first.' }) readonly keys: readonly KeyView[];

  constructor(row: IssuerEntity, keys: readonly IssuerKeyEntity[]) {
    super(row);
    this.keys = keys.map((key) => new KeyView(key));
  }
}

export class NewIssuerView extends IssuerView {
  @ApiProperty({ type: NewKeyView, description: 'Its first key.' }) readonly key: NewKeyView;

  constructor(row: IssuerEntity, key: NewKeyView) {
    super(row);
    this.key = key;
  }
}

export class IssuerPageView extends PageViewOf(IssuerView) {}
