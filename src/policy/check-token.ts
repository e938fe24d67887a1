import { CLOCK_LEEWAY_SECONDS, type TokenClaims } from '../tokens/token-claims.js';
import type { ValidityPeriod } from '../tokens/validity-period.js';
import { PolicyViolationError } from './policy.errors.js';
import type { Policy } from './policy.js';

/** When the policy's `max_token_age` admits a token. */
export function policyValidity(
  { document: { max_token_age: maxAge = Infinity } }: Policy,
  { issuedAt }: Pick<TokenClaims, 'issuedAt'>,
): ValidityPeriod {
  return { from: -Infinity, until: ((issuedAt ?? Infinity) + maxAge + CLOCK_LEEWAY_SECONDS) * 1000 };
}

/**
 * What a policy asks of the token itself, whatever its steps.
 * @param now Seconds since 1970.
 * @throws {PolicyViolationError} 403
 */
export function checkToken({ document }: Policy, claims: TokenClaims, now: number): void {
  const { require_exp: mustEnd, max_token_age: maxAge, require_image_id: mustName } = document;
  if (mustEnd === true && claims.expiresAt === null) {
    throw new PolicyViolationError({
      rule: 'require_exp',
      limit: true,
      detail: 'the token has no `exp`. Seal one that ends.',
    });
  }
  if (
    maxAge !== undefined &&
    (claims.issuedAt === null || now > claims.issuedAt + maxAge + CLOCK_LEEWAY_SECONDS)
  ) {
    throw new PolicyViolationError({
      rule: 'max_token_age',
      limit: maxAge,
      detail:
        claims.issuedAt === null
          ? 'the token has no `iat`. Seal one that says when it was sealed.'
          : `the token is older than ${maxAge} seconds. Seal a new one.`,
    });
  }
  if (mustName === true && claims.imageId === null && claims.imageIds === null) {
    throw new PolicyViolationError({
      rule: 'require_image_id',
      limit: true,
      detail: 'the token has no `image_id`. Seal one that names its image or images.',
    });
  }
  if (claims.original) checkOriginal(document);
}

/** An original has no steps, and is as large as it is: what would get around a rule is against it. */
function checkOriginal({
  mandatory_steps: mandatory = [],
  presets_only: presetsOnly = false,
  presets = {},
  max_width: width,
  max_height: height,
}: Policy['document']): void {
  const detail = 'the token asks for the original. Seal one without `sharinpix.original`.';
  if (mandatory.length > 0) {
    throw new PolicyViolationError({ rule: 'mandatory_steps', limit: mandatory.length, detail });
  }
  if (presetsOnly) {
    throw new PolicyViolationError({ rule: 'presets_only', limit: Object.keys(presets), detail });
  }
  if (width !== undefined) throw new PolicyViolationError({ rule: 'max_width', limit: width, detail });
  if (height !== undefined) throw new PolicyViolationError({ rule: 'max_height', limit: height, detail });
}
