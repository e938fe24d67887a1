import { createContext } from 'preact';
import { useContext } from 'preact/hooks';
import type { Session } from './service.js';

/** Who is signed in, and how the page says something. */
interface Desk {
  readonly session: Session;
  readonly announce: (text: string) => void;
}

export const DeskContext = createContext<Desk>({
  session: { actor: '', scopes: [], issuer_id: null, expires_at: '', new_issuer_policy: {} },
  announce: () => undefined,
});

/** Says something to a screen reader. */
export const useAnnounce = (): Desk['announce'] => useContext(DeskContext).announce;

/** The policy that the form for a new issuer begins with. */
export const useNewIssuerPolicy = (): Session['new_issuer_policy'] =>
  useContext(DeskContext).session.new_issuer_policy;

/** What the key that is signed in may do; the service holds it to that whatever is shown. */
export interface Rights {
  readonly write: boolean;
  /** Issuers themselves: not for a key that is bound to one. */
  readonly writeIssuers: boolean;
  readonly issuerId: string | null;
}

export function useRights(): Rights {
  const { scopes, issuer_id: issuerId } = useContext(DeskContext).session;
  const write = scopes.includes('write');
  return { write, writeIssuers: write && issuerId === null, issuerId };
}
