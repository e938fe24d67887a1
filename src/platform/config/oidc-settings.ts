import { canonicalUuid } from '../../domain/uuid.js';

/** The role of users with a value of a claim: the rights of an admin key. */
export interface OidcRole {
  readonly claim: string;
  /** The claim has it, or is a list that contains it. */
  readonly value: string;
  readonly scopes: readonly ('read' | 'write')[];
  /** The only issuer whose rows it can access; null for all. */
  readonly issuerId: string | null;
}

/** The OpenID Connect provider of the console's users. */
export interface OidcSettings {
  readonly issuer: string;
  readonly clientId: string;
  readonly clientSecret: string;
  readonly scope: string;
  /** The first that matches is used. */
  readonly roles: readonly OidcRole[];
}

/** Reads `CLAIM:VALUE=ROLE`, ROLE being `read` or `write`, `@ISSUER_ID` behind it for one issuer; null if malformed. */
export function readOidcRole(text: string): OidcRole | null {
  const [, claim, value, role, issuer] =
    /^([\x21-\x39\x3b-\x7e]{1,200}?):(.{1,200})=(read|write)(?:@(.+))?$/.exec(text) ?? [];
  if (claim === undefined || value === undefined) return null;
  const issuerId = issuer === undefined ? null : canonicalUuid(issuer);
  if (issuer !== undefined && issuerId === null) return null;
  return { claim, value, scopes: role === 'write' ? ['read', 'write'] : ['read'], issuerId };
}
