/** What a revocation applies to: one token by its `jti`, or all tokens of a `session_id`. */
export const REVOCATION_KINDS = ['token', 'session'] as const;
export type RevocationKind = (typeof REVOCATION_KINDS)[number];

/** The claims by which a token can be revoked. */
export interface TokenNames {
  readonly jwtId: string | null;
  readonly sessionId: string | null;
}
