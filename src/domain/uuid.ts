const LENGTH = 36;
const CANONICAL_UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** True for a UUID of any version in canonical form: lower case, with dashes (RFC 9562 §4). */
export function isCanonicalUuid(value: unknown): value is string {
  return typeof value === 'string' && value.length === LENGTH && CANONICAL_UUID.test(value);
}

/** The lower-case form of a dashed UUID of any version; null for anything else. */
export function canonicalUuid(value: unknown): string | null {
  if (isCanonicalUuid(value)) return value;
  return typeof value === 'string' && value.length === LENGTH && UUID.test(value)
    ? value.toLowerCase()
    : null;
}
