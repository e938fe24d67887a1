/** What a revocation is about: one token by its `jti`, or all tokens of a `session_id`. */
export const REVOCATION_KINDS = ['token', 'session'] as const;
export type RevocationKind = (typeof REVOCATION_KINDS)[number];

/** The names that a token goes by. */
export interface TokenNames {
  readonly jwtId: string | null;
  readonly sessionId: string | null;
}
