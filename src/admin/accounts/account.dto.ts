import { AUTH_TOKEN_KEY, DELIVERY_HOST_RULE, isDeliveryHost } from '../../domain/account.js';
import { URL_SIGNATURES, type UrlSignature } from '../../domain/url-signature.js';
import { isApiOrigin } from '../../platform/config/cloudinary-url.js';
import { SETTINGS } from '../../platform/config/settings.js';
import {
  BooleanMember,
  CheckedMember,
  EnumMember,
  InstantMember,
  PatternMember,
  TextMember,
  UuidMember,
} from '../requests/members.js';
import { PageQueryDto } from '../requests/page.js';

const MAX_UPLOAD_PREFIX = 300;

const NAME = { description: 'Display name.', max: 200 };
const CLOUD_NAME = {
  description: 'The cloud’s name. It cannot be changed.',
  pattern: /^[\w-]{1,64}$/,
  message: 'must be 1 to 64 letters, digits, hyphens and underscores',
};
const API_KEY = {
  description: 'The API key of the secret.',
  pattern: /^[\w-]{1,64}$/,
  message: 'must be 1 to 64 letters, digits, hyphens and underscores',
};
const API_SECRET = {
  description: 'The API secret. It is stored encrypted, and never shown.',
  pattern: /^[\w-]{1,128}$/,
  message: 'must be 1 to 128 letters, digits, hyphens and underscores',
};
const HOST = {
  description:
    'The host of its delivery URLs, for a CNAME or a custom host (the SDK’s `secure_distribution`); null for Cloudinary’s own.',
  schema: { type: String, nullable: true, maxLength: 253 },
  findFault: (value: unknown): string | null =>
    typeof value === 'string' && isDeliveryHost(value) ? null : `must ${DELIVERY_HOST_RULE}, or null`,
  nullable: true,
} as const;
const PRIVATE_CDN = { description: 'Whether it has a private CDN: its URLs omit the cloud’s name.' };
const UPLOAD_PREFIX = {
  description: 'The origin of the upload API, which differs between regions.',
  schema: { type: String, maxLength: MAX_UPLOAD_PREFIX },
  findFault: (value: unknown): string | null =>
    typeof value === 'string' &&
    value.length <= MAX_UPLOAD_PREFIX &&
    URL.canParse(value) &&
    isApiOrigin(new URL(value))
      ? null
      : `must ${SETTINGS.CLOUDINARY_UPLOAD_PREFIX.must}`,
} as const;
const SIGNATURE = {
  description:
    'How its URLs are signed: `sha1` and `sha256` have 8 characters, `long` is SHA-256 with 32 characters.',
  values: URL_SIGNATURES,
};
const KEY_OF_AUTH_TOKEN = {
  description:
    'The key of token-based authentication: its URLs then have Cloudinary’s expiring `__cld_token__`. It is stored encrypted, and never shown; null for none.',
  pattern: AUTH_TOKEN_KEY,
  message: 'must be hexadecimal, 32 digits or more, or null',
  nullable: true,
} as const;
const DISABLED = { description: 'Whether nothing is delivered, uploaded or received for its issuers.' };
const SIGNS = {
  description: 'Whether it signs URLs and API calls: exactly one secret of an account does.',
};
const NOT_AFTER = {
  description:
    'From then on notifications signed with it are refused; null: never. It is null for the secret that signs.',
};

export class CreateAccountDto {
  @UuidMember({ description: 'Generated if omitted.', optional: true })
  id?: string;

  @TextMember(NAME)
  name!: string;

  @PatternMember(CLOUD_NAME)
  cloud_name!: string;

  @PatternMember(API_KEY)
  api_key!: string;

  @PatternMember(API_SECRET)
  api_secret!: string;

  @CheckedMember({ ...HOST, optional: true })
  host?: string | null;

  @BooleanMember({ ...PRIVATE_CDN, optional: true, default: false })
  private_cdn?: boolean;

  @CheckedMember({ ...UPLOAD_PREFIX, optional: true, default: SETTINGS.CLOUDINARY_UPLOAD_PREFIX.default })
  upload_prefix?: string;

  @EnumMember({ ...SIGNATURE, optional: true, default: 'sha1' })
  signature?: UrlSignature;

  @PatternMember({ ...KEY_OF_AUTH_TOKEN, optional: true })
  auth_token_key?: string | null;

  @BooleanMember({ ...DISABLED, optional: true, default: false })
  disabled?: boolean;
}

export class UpdateAccountDto {
  @TextMember({ ...NAME, optional: true })
  name?: string;

  @CheckedMember({ ...HOST, optional: true })
  host?: string | null;

  @BooleanMember({ ...PRIVATE_CDN, optional: true })
  private_cdn?: boolean;

  @CheckedMember({ ...UPLOAD_PREFIX, optional: true })
  upload_prefix?: string;

  @EnumMember({ ...SIGNATURE, optional: true })
  signature?: UrlSignature;

  @PatternMember({ ...KEY_OF_AUTH_TOKEN, optional: true })
  auth_token_key?: string | null;

  @BooleanMember({ ...DISABLED, optional: true })
  disabled?: boolean;
}

export class ListAccountsDto extends PageQueryDto {
  @PatternMember({ ...CLOUD_NAME, description: 'Only the account with this cloud name.', optional: true })
  cloud_name?: string;
}

export class CreateAccountSecretDto {
  @PatternMember(API_KEY)
  api_key!: string;

  @PatternMember(API_SECRET)
  api_secret!: string;

  @BooleanMember({ ...SIGNS, optional: true, default: false })
  signs?: boolean;

  @InstantMember({ ...NOT_AFTER, optional: true })
  not_after?: string | null;
}

export class UpdateAccountSecretDto {
  @BooleanMember({ ...SIGNS, optional: true })
  signs?: boolean;

  @InstantMember({ ...NOT_AFTER, optional: true })
  not_after?: string | null;
}
