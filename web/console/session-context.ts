import { createContext } from 'preact';
import { useContext } from 'preact/hooks';
import type { Session } from './service.js';

/** The signed-in session, and announcements. */
interface SessionContextValue {
  readonly session: Session;
  readonly announce: (text: string) => void;
}

export const SessionContext = createContext<SessionContextValue>({
  session: { actor: '', scopes: [], issuer_id: null, is_user: false, expires_at: '', new_issuer_policy: {} },
  announce: () => undefined,
});

/** Announces a text to screen readers. */
export const useAnnounce = (): SessionContextValue['announce'] => useContext(SessionContext).announce;

/** The initial policy of the form for a new issuer. */
export const useNewIssuerPolicy = (): Session['new_issuer_policy'] =>
  useContext(SessionContext).session.new_issuer_policy;

/** The rights of the signed-in key; the service enforces them, whatever the page shows. */
export interface Rights {
  readonly write: boolean;
  /** Issuers and accounts themselves: not for the key of a single issuer. */
  readonly writeIssuers: boolean;
  readonly issuerId: string | null;
}

export function useRights(): Rights {
  const { scopes, issuer_id: issuerId } = useContext(SessionContext).session;
  const write = scopes.includes('write');
  return { write, writeIssuers: write && issuerId === null, issuerId };
}
