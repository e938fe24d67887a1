/** What a revocation is about: one token by its `jti`, or all tokens of a `session_id`. */
export const REVOCATION_KINDS = ['token', 'session'] as const;
export type RevocationKind = (typeof REVOCATION_KINDS)[number];

/** The names that a token goes by. */
export interface TokenNames {
  readonly jwtId: string | null;
  readonly sessionId: string | null;
}

/** Tells revoked tokens; the directory is the one that does. */
export abstract class RevocationFinder {
  /**
   * Whether this issuer's tokens of that `jti` or that `session_id` are revoked; no promise where it is known already.
   * @throws DatabaseUnavailableError (503) on a cold entry without a database.
   */
  abstract isRevoked(issuerId: string, names: TokenNames): boolean | Promise<boolean>;
}
