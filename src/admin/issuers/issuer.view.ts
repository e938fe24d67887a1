import { ApiProperty } from '@nestjs/swagger';
import { PolicyDto } from './policy.dto.js';
import type { IssuerKeyEntity } from '../../platform/database/entities/issuer-key.entity.js';
import type { IssuerEntity } from '../../platform/database/entities/issuer.entity.js';

/** An issuer as the admin API shows it. */
export class IssuerView {
  @ApiProperty({ format: 'uuid', description: 'The `iss` of its tokens.' }) readonly id: string;
  @ApiProperty({ description: 'What people call the issuer.' }) readonly name: string;
  @ApiProperty({ description: 'Extension of every delivered URL.' }) readonly delivery_format: string;
  @ApiProperty({ description: 'Whether its tokens are refused.' }) readonly disabled: boolean;
  @ApiProperty({
    type: Date,
    nullable: true,
    description: 'Tokens with an older `iat`, or none, are refused; null: whatever their `iat`.',
  })
  readonly not_before: Date | null;
  @ApiProperty({ type: PolicyDto, description: 'What its tokens may do; {}: everything.' })
  readonly policy: object;
  @ApiProperty({ description: 'When it was made.' }) readonly created_at: Date;
  @ApiProperty({ description: 'When it was changed last.' }) readonly updated_at: Date;

  constructor(row: IssuerEntity) {
    this.id = row.id;
    this.name = row.name;
    this.delivery_format = row.deliveryFormat;
    this.disabled = row.disabled;
    this.not_before = row.notBefore;
    this.policy = row.policy;
    this.created_at = row.createdAt;
    this.updated_at = row.updatedAt;
  }
}

/** A key as the admin API shows it: without its secret. */
export class KeyView {
  @ApiProperty({ format: 'uuid', description: 'The `kid` of its tokens.' }) readonly id: string;
  @ApiProperty({ enum: ['HS256', 'HS384', 'HS512'], description: 'The `alg` of its tokens.' })
  readonly algorithm: string;
  @ApiProperty({
    type: Date,
    nullable: true,
    description: 'The key counts from this moment on; null: at once.',
  })
  readonly not_before: Date | null;
  @ApiProperty({
    type: Date,
    nullable: true,
    description: 'The key counts no more from this moment on; null: until it is revoked.',
  })
  readonly not_after: Date | null;
  @ApiProperty({ type: 'integer', description: 'Accepted tokens, some seconds behind.' })
  readonly uses: number;
  @ApiProperty({ type: Date, nullable: true, description: 'Some seconds behind; null: never yet.' })
  readonly last_used_at: Date | null;
  @ApiProperty({ description: 'When it was made.' }) readonly created_at: Date;

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

/** A new key with its secret: the one time that it is shown. */
export class NewKeyView extends KeyView {
  @ApiProperty({ description: 'Sign with its ASCII text. Shown this once.' }) readonly secret: string;

  @ApiProperty({ description: 'All that a backend needs in one URL: origin, issuer id, secret, `kid`.' })
  readonly dsn: string;

  constructor(row: IssuerKeyEntity, secret: string, origin: string) {
    super(row);
    this.secret = secret;
    const dsn = new URL(origin);
    dsn.username = row.issuerId;
    // The setter leaves a percent sign as it is.
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

export class IssuerPageView {
  @ApiProperty({ type: [IssuerView], description: 'The rows of this page.' })
  readonly items!: readonly IssuerView[];
  @ApiProperty({ type: String, nullable: true, description: 'Where the next page starts; null on the last.' })
  readonly next_cursor!: string | null;
}
