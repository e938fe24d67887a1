/** Who is signed in, and what the console may offer. */
export interface SessionDocument {
  /** As the audit log has it. */
  readonly actor: string;
  readonly scopes: readonly ('read' | 'write')[];
  /** The one issuer whose rows it sees and changes; null for all of them. */
  readonly issuer_id: string | null;
  /** RFC 3339. */
  readonly expires_at: string;
  /** What the form for a new issuer begins with: `DEFAULT_POLICY` where that is set, else the recommended policy. */
  readonly new_issuer_policy: object;
}

/** `GET /console/session`. */
export interface SessionAnswer {
  readonly session: SessionDocument | null;
}
