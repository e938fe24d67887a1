import { ApiProperty } from '@nestjs/swagger';
import { TOKEN_ALGORITHMS } from '../../tokens/signing-key.js';
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
  @ApiProperty({ type: [String], description: 'Other values of `iss` that its tokens may have.' })
  readonly iss_aliases: readonly string[];
  @ApiProperty({
    type: String,
    nullable: true,
    description: 'Must be in the `aud` of tokens that a public key verifies; null: `aud` is not checked.',
  })
  readonly aud: string | null;
  @ApiProperty({
    type: String,
    format: 'uri',
    nullable: true,
    description: 'Where further public keys are fetched; null: nowhere.',
  })
  readonly jwks_url: string | null;
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
    this.iss_aliases = row.issAliases;
    this.aud = row.aud;
    this.jwks_url = row.jwksUrl;
    this.policy = row.policy;
    this.created_at = row.createdAt;
    this.updated_at = row.updatedAt;
  }
}

/** A key in the admin API, without its secret. */
export class KeyView {
  @ApiProperty({ format: 'uuid', description: 'The `kid` of its tokens.' }) readonly id: string;
  @ApiProperty({ enum: TOKEN_ALGORITHMS, description: 'The `alg` of its tokens.' })
  readonly algorithm: string;
  @ApiProperty({ type: String, nullable: true, description: 'The public key in PEM; null for a secret.' })
  readonly public_key: string | null;
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
    this.public_key = row.publicKey;
    this.not_before = row.notBefore;
    this.not_after = row.notAfter;
    this.uses = row.use?.uses ?? 0;
    this.last_used_at = row.use?.lastUsedAt ?? null;
    this.created_at = row.createdAt;
  }
}

/** A new key with its secret, which no other response contains. */
export class NewKeyView extends KeyView {
  @ApiProperty({
    type: String,
    nullable: true,
    description: 'To sign with, as its ASCII text; null for a public key. It is not shown again.',
  })
  readonly secret: string | null;

  @ApiProperty({
    type: String,
    nullable: true,
    description: 'What a backend needs, as one URL: origin, issuer id, secret, `kid`; null for a public key.',
  })
  readonly dsn: string | null;

  constructor(row: IssuerKeyEntity, secret: string | null, origin: string) {
    super(row);
    this.secret = secret;
    this.dsn = secret === null ? null : writeDsn(row, secret, origin);
  }
}

function writeDsn({ id, issuerId }: IssuerKeyEntity, secret: string, origin: string): string {
  const dsn = new URL(origin);
  dsn.username = issuerId;
  // The setter does not escape a percent sign.
  dsn.password = encodeURIComponent(secret);
  dsn.searchParams.set('kid', id);
  return dsn.href;
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
