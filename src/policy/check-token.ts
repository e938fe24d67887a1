import { CLOCK_LEEWAY_SECONDS, type TokenClaims } from '../tokens/token-claims.js';
import type { ValidityPeriod } from '../tokens/validity-period.js';
import { PolicyViolationError } from './policy.errors.js';
import type { Policy } from './policy.js';

/** When a token expires by its `exp` and the policy's `max_token_age`: Unix seconds, null for never. */
export function expiryOf(
  { document: { max_token_age: maxAge } }: Policy,
  { expiresAt, issuedAt }: Pick<TokenClaims, 'expiresAt' | 'issuedAt'>,
): number | null {
  if (maxAge === undefined || issuedAt === null) return expiresAt;
  return Math.min(expiresAt ?? Infinity, issuedAt + maxAge);
}

/** When the policy's `max_token_age` accepts a token. */
export function policyValidity(
  { document: { max_token_age: maxAge = Infinity } }: Policy,
  { issuedAt }: Pick<TokenClaims, 'issuedAt'>,
): ValidityPeriod {
  return { from: -Infinity, until: ((issuedAt ?? Infinity) + maxAge + CLOCK_LEEWAY_SECONDS) * 1000 };
}

/**
 * Checks a token against the policy's requirements of its claims.
 * @param now Seconds since 1970.
 * @throws {PolicyViolationError} 403
 */
export function checkToken({ document, isProxied }: Policy, claims: TokenClaims, now: number): void {
  const { require_exp: requireExp, max_token_age: maxAge, require_image_id: requireImageId } = document;
  if (requireExp === true && claims.expiresAt === null) {
    throw new PolicyViolationError({
      rule: 'require_exp',
      limit: true,
      detail: 'the token has no `exp`. Sign one that expires.',
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
          ? 'the token has no `iat`. Sign one with it.'
          : `the token is older than ${maxAge} seconds. Sign a new one.`,
    });
  }
  if (requireImageId === true && claims.imageId === null && claims.imageIds === null) {
    throw new PolicyViolationError({
      rule: 'require_image_id',
      limit: true,
      detail: 'the token has no `image_id`. Sign one that names its images.',
    });
  }
  if (claims.maxUses !== null && !isProxied) {
    throw new PolicyViolationError({
      rule: 'delivery',
      limit: 'redirect',
      detail: 'the token has `max_uses`, and uses of a redirect cannot be counted. Sign one without it.',
    });
  }
  // Ignored, it would open more than its signer intended.
  if (claims.addresses !== null && document.bind_ip !== true) {
    throw new PolicyViolationError({
      rule: 'bind_ip',
      limit: false,
      detail: 'the token has `bind_ip`, which has no effect without the rule. Sign one without it.',
    });
  }
  if (claims.original) checkOriginal(document);
}

/** An original bypasses steps and limits of size: policies with such rules forbid it, and `original: no` too. */
function checkOriginal({
  mandatory_steps: mandatory = [],
  presets_only: presetsOnly = false,
  presets = {},
  max_width: width,
  max_height: height,
  original,
}: Policy['document']): void {
  const detail = 'the token requests the original. Sign one without `sharinpix.original`.';
  if (original === 'no') throw new PolicyViolationError({ rule: 'original', limit: original, detail });
  if (mandatory.length > 0) {
    throw new PolicyViolationError({ rule: 'mandatory_steps', limit: mandatory.length, detail });
  }
  if (presetsOnly) {
    throw new PolicyViolationError({ rule: 'presets_only', limit: Object.keys(presets), detail });
  }
  if (width !== undefined) throw new PolicyViolationError({ rule: 'max_width', limit: width, detail });
  if (height !== undefined) throw new PolicyViolationError({ rule: 'max_height', limit: height, detail });
}
