import {
  BooleanMember,
  EnumMember,
  InstantMember,
  NestedMember,
  PatternMember,
  TextMember,
  UuidMember,
} from '../requests/members.js';
import { PageQueryDto } from '../requests/page.js';
import { RECOMMENDED_POLICY } from '../../policy/recommended-policy.js';
import { ORIGINAL_FORMAT } from '../../domain/image.js';
import { PolicyDto } from './policy.dto.js';
import { HMAC_ALGORITHMS, type HmacAlgorithm } from '../../tokens/signing-key.js';

/** Image formats that Cloudinary delivers. */
const DELIVERY_FORMATS = [
  'jpg', 'jpeg', 'png', 'webp', 'avif', 'gif', 'jxl', 'jp2', 'heic', 'tiff', 'bmp', 'ico', 'svg', 'pdf',
  ORIGINAL_FORMAT,
] as const; // prettier-ignore

const NAME = { description: 'Display name.', max: 200 };
const DELIVERY_FORMAT = {
  description: 'Extension of every delivered URL; `original`: the `format` of each image.',
  values: DELIVERY_FORMATS,
};
const POLICY = { type: PolicyDto, named: { recommended: RECOMMENDED_POLICY }, optional: true } as const;
const ACCOUNT = {
  description:
    'The Cloudinary account of its images and overlays; null: that of `CLOUDINARY_URL`. An issuer that has some cannot be moved.',
  nullable: true,
} as const;
const DISABLED = { description: 'Whether its tokens are refused.' };

export class CreateIssuerDto {
  @UuidMember({ description: 'The `iss` of its tokens; generated if omitted.', optional: true })
  id?: string;

  @TextMember(NAME)
  name!: string;

  @EnumMember({ ...DELIVERY_FORMAT, optional: true, default: 'jpg' })
  delivery_format?: string;

  @UuidMember({ ...ACCOUNT, optional: true })
  account_id?: string | null;

  @BooleanMember({ ...DISABLED, optional: true, default: false })
  disabled?: boolean;

  @NestedMember({
    ...POLICY,
    description:
      'What its tokens may do; {} restricts nothing, `recommended` is the recommended policy. Default: the service’s `DEFAULT_POLICY`, which is {} unless it is set.',
  })
  policy?: PolicyDto;
}

export class UpdateIssuerDto {
  @TextMember({ ...NAME, optional: true })
  name?: string;

  @EnumMember({ ...DELIVERY_FORMAT, optional: true })
  delivery_format?: string;

  @UuidMember({ ...ACCOUNT, optional: true })
  account_id?: string | null;

  @BooleanMember({ ...DISABLED, optional: true })
  disabled?: boolean;

  @InstantMember({
    description: 'Tokens with an older `iat`, or none, are refused; null: no such limit.',
    optional: true,
  })
  not_before?: string | null;

  @NestedMember({
    ...POLICY,
    description:
      'What its tokens may do, replaced as a whole; {} restricts nothing, `recommended` is the recommended policy.',
  })
  policy?: PolicyDto;
}

export class ListIssuersDto extends PageQueryDto {
  @TextMember({ description: 'Only issuers with exactly this name.', max: 200, optional: true })
  name?: string;
}

const NOT_BEFORE = { description: 'When the key becomes valid; null: at once.' };
const NOT_AFTER = { description: 'When the key expires; null: never.' };

export class CreateKeyDto {
  @PatternMember({
    description: 'The secret, used as its ASCII text; by default 32 random bytes as base64url.',
    pattern: /^[\x21-\x7e]{32,512}$/,
    message: 'must be 32 to 512 printable ASCII characters without spaces',
    optional: true,
  })
  secret?: string;

  @EnumMember({
    description: 'The `alg` that its tokens must have.',
    values: HMAC_ALGORITHMS,
    optional: true,
    default: 'HS256',
  })
  algorithm?: HmacAlgorithm;

  @InstantMember({ ...NOT_BEFORE, optional: true })
  not_before?: string | null;

  @InstantMember({ ...NOT_AFTER, optional: true })
  not_after?: string | null;
}

export class UpdateKeyDto {
  @InstantMember({ ...NOT_BEFORE, optional: true })
  not_before?: string | null;

  @InstantMember({ ...NOT_AFTER, optional: true })
  not_after?: string | null;
}
