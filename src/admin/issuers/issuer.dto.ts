import {
  BooleanMember,
  CheckedMember,
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
import { isIP } from 'node:net';
import { isObject } from '../../domain/is-object.js';
import { isPublicAddress } from '../../platform/http/public-address.js';
import { isIssuerAlias } from '../../tokens/issuer-alias.js';
import { TOKEN_ALGORITHMS, type TokenAlgorithm } from '../../tokens/signing-key.js';

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
const MAX_ALIASES = 8;
const ISS_ALIASES = {
  description:
    'Other values of `iss` that its tokens may have, such as the URL of an identity provider; each belongs to one issuer.',
  schema: {
    type: 'array',
    items: { type: 'string', minLength: 1, maxLength: 255 },
    maxItems: MAX_ALIASES,
    uniqueItems: true,
  },
  findFault: (value: unknown): string | null =>
    Array.isArray(value) &&
    value.length <= MAX_ALIASES &&
    new Set(value).size === value.length &&
    value.every(isIssuerAlias)
      ? null
      : `must be a list of at most ${MAX_ALIASES} different texts of 1 to 255 characters, none of which is a UUID`,
} as const;
const AUD = {
  description:
    'Must be in the `aud` of tokens that a public key verifies; null: `aud` is not checked. Tokens signed with a secret need no `aud`.',
  max: 255,
  nullable: true,
} as const;
const JWKS_URL = {
  description:
    'Where further public keys are fetched, a JSON Web Key Set: at a public host, over https, without redirects, at most 64 KiB and 16 keys; null: nowhere.',
  schema: { type: 'string', format: 'uri', maxLength: 500 },
  nullable: true,
  findFault: findJwksUrlFault,
} as const;

/** The host's addresses are checked when it is fetched. */
function findJwksUrlFault(value: unknown): string | null {
  const fault = 'must be an https URL of a public host, of at most 500 characters, without user and fragment';
  if (typeof value !== 'string' || value.length > 500 || !URL.canParse(value)) return fault;
  const { protocol, hostname, username, password, hash } = new URL(value);
  const host = hostname.replace(/^\[(.*)\]$/, '$1');
  const isLocal = isIP(host) === 0 ? /(^|\.)localhost\.?$/.test(host) : !isPublicAddress(host);
  return protocol !== 'https:' || username !== '' || password !== '' || hash !== '' || isLocal ? fault : null;
}

const DISABLED = { description: 'Whether its tokens are refused.' };

const NOT_BEFORE = { description: 'When the key becomes valid; null: at once.' };
const NOT_AFTER = { description: 'When the key expires; null: never.' };

export class CreateKeyDto {
  @PatternMember({
    description:
      'The secret of an HS256, HS384 or HS512 key, used as its ASCII text; by default 32 random bytes as base64url.',
    pattern: /^[\x21-\x7e]{32,512}$/,
    message: 'must be 32 to 512 printable ASCII characters without spaces',
    optional: true,
  })
  secret?: string;

  @EnumMember({
    description: 'The `alg` that its tokens must have.',
    values: TOKEN_ALGORITHMS,
    optional: true,
    default: 'HS256',
  })
  algorithm?: TokenAlgorithm;

  @CheckedMember({
    description:
      'Required for EdDSA (Ed25519), ES256 (P-256), RS256 and PS256 (RSA of 2,048 to 4,096 bits): the public key in PEM, or as a JWK. Their private key never leaves its owner.',
    schema: {
      oneOf: [
        { type: 'string', maxLength: 4096 },
        { type: 'object', additionalProperties: true },
      ],
    },
    // Its algorithm decides the rest.
    findFault: (value) =>
      typeof value === 'string' || isObject(value) ? null : 'must be a public key, in PEM or as a JWK',
    optional: true,
  })
  public_key?: unknown;

  @InstantMember({ ...NOT_BEFORE, optional: true })
  not_before?: string | null;

  @InstantMember({ ...NOT_AFTER, optional: true })
  not_after?: string | null;
}

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

  @CheckedMember({ ...ISS_ALIASES, optional: true })
  iss_aliases?: string[];

  @TextMember({ ...AUD, optional: true })
  aud?: string | null;

  @CheckedMember({ ...JWKS_URL, optional: true })
  jwks_url?: string | null;

  @NestedMember({
    type: CreateKeyDto,
    description: 'Its first key. Default: an HS256 key with a generated secret.',
    optional: true,
  })
  key?: CreateKeyDto;

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

  @CheckedMember({ ...ISS_ALIASES, optional: true })
  iss_aliases?: string[];

  @TextMember({ ...AUD, optional: true })
  aud?: string | null;

  @CheckedMember({ ...JWKS_URL, optional: true })
  jwks_url?: string | null;

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

  @TextMember({
    description: 'Only issuers whose name contains this text; upper and lower case are the same.',
    max: 200,
    optional: true,
  })
  search?: string;
}

export class UpdateKeyDto {
  @InstantMember({ ...NOT_BEFORE, optional: true })
  not_before?: string | null;

  @InstantMember({ ...NOT_AFTER, optional: true })
  not_after?: string | null;
}
