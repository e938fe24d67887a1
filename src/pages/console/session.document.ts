/** The signed-in key, and what the console offers it. */
export interface SessionDocument {
  /** As in the audit log. */
  readonly actor: string;
  readonly scopes: readonly ('read' | 'write')[];
  /** The only issuer whose rows it can access; null for all of them. */
  readonly issuer_id: string | null;
  /** Whether it is of a user of the OpenID Connect provider, who signs out at `/console/oidc/sign-out`. */
  readonly is_user: boolean;
  /** RFC 3339. */
  readonly expires_at: string;
  /** The initial policy of the form for a new issuer: `DEFAULT_POLICY` if set, else the recommended policy. */
  readonly new_issuer_policy: object;
}

/** The response of `GET /console/session`. */
export interface SessionResponse {
  readonly session: SessionDocument | null;
  /** Whether users of an OpenID Connect provider can sign in. */
  readonly oidc: boolean;
}
