import type { JSX } from 'preact';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { Mark } from '../design/mark.js';
import { AccountsView, AccountView } from './accounts.js';
import { AssetsView } from './assets.js';
import { AuditView } from './audit.js';
import { IssuerView } from './issuer.js';
import { IssuersView } from './issuers.js';
import { ProblemNote } from './parts.js';
import { findSession, type Problem, type Session, sessionEnd, signOut } from './service.js';
import { SessionContext, useRights } from './session-context.js';
import { SignIn } from './sign-in.js';
import { TokenView } from './token.js';
import { UsageView } from './usage.js';
import { hrefTo, type Route, useRoute } from './use-route.js';

const SECTIONS = [
  ['issuers', 'Issuers'],
  ['accounts', 'Accounts'],
  ['images', 'Images'],
  ['overlays', 'Overlays'],
  ['usage', 'Usage'],
  ['token', 'Token'],
  ['audit', 'Audit'],
] as const;

/** Why the service led the browser back from the OpenID Connect provider without a session. */
const SIGN_IN_FAULTS: Readonly<Record<string, string>> = {
  unavailable: 'The sign-in of your organization is unavailable. Try again later, or use an admin key.',
  expired: 'The sign-in took too long, or was started in another browser. Sign in again.',
  refused: 'The sign-in of your organization was refused. Sign in again, or ask its administrator.',
  no_role: 'Your account has no role here. Ask the operator of this service for one.',
};

/** Reads the reason, and removes it from the address: it concerns one sign-in only. */
function readSignInFault(): string | null {
  const fault = new URLSearchParams(window.location.search).get('sign_in');
  if (fault === null) return null;
  window.history.replaceState(null, '', `/console${window.location.hash}`);
  return SIGN_IN_FAULTS[fault] ?? null;
}

/** The admin page: the session, and the pages that its key may access. */
export function Console(): JSX.Element {
  const [session, setSession] = useState<Session | null>(null);
  const [known, setKnown] = useState(false);
  const [trouble, setTrouble] = useState<Problem | null>(null);
  const [reason, setReason] = useState(readSignInFault);
  const [oidc, setOidc] = useState(false);
  const [said, announce] = useState('');

  useEffect(() => {
    void findSession().then((response) => {
      if ('ok' in response) {
        setSession(response.ok.session);
        setOidc(response.ok.oidc);
      } else setTrouble(response.problem);
      setKnown(true);
    });
    const end = (): void => {
      setSession(null);
      setReason('The session has expired. Sign in again.');
    };
    sessionEnd.addEventListener('end', end);
    return () => {
      sessionEnd.removeEventListener('end', end);
    };
  }, []);

  const desk = useMemo(() => (session === null ? null : { session, announce }), [session]);
  return (
    <>
      <header class="top">
        <p class="brand">
          <Mark /> Pixseal
        </p>
        <p class="page-name">Console</p>
        {session !== null && (
          <SignedIn
            session={session}
            onOut={() => {
              setReason(null);
              setSession(null);
            }}
          />
        )}
      </header>
      {desk === null ? (
        <main class="narrow">
          <ProblemNote problem={trouble} />
          {known && trouble === null && (
            <SignIn
              reason={reason}
              oidc={oidc}
              onIn={(opened) => {
                setReason(null);
                setSession(opened);
              }}
            />
          )}
        </main>
      ) : (
        <SessionContext.Provider value={desk}>
          <Sections />
        </SessionContext.Provider>
      )}
      <p class="unseen" role="status">
        {said}
      </p>
    </>
  );
}

interface SignedInProps {
  readonly session: Session;
  readonly onOut: () => void;
}

function SignedIn({ session, onOut }: SignedInProps): JSX.Element {
  const rights = session.scopes.includes('write') ? 'read-write' : 'read-only';
  return (
    <div class="row signed-in">
      <p class="hint">
        <span class="code actor">{session.actor}</span> {rights}
        {session.issuer_id !== null && ', one issuer’s rows'}
      </p>
      <button
        type="button"
        class="button button-small"
        onClick={() => {
          if (session.is_user) window.location.assign('/console/oidc/sign-out');
          else void signOut().then(onOut);
        }}
      >
        Sign out
      </button>
    </div>
  );
}

function Sections(): JSX.Element {
  const route = useRoute();
  const main = useRef<HTMLElement>(null);
  const { issuerId } = useRights();
  // The service shows no accounts to the key of an issuer.
  const sections = SECTIONS.filter(([name]) => name !== 'accounts' || issuerId === null);
  const section = sections.find(([name]) => name === route.section)?.[0] ?? 'issuers';
  const title = sections.find(([name]) => name === section)?.[1] ?? '';
  const place = `${section}/${route.id ?? ''}`;
  const first = useRef(place);
  const current = useRef<HTMLAnchorElement>(null);
  useEffect(() => {
    // On a phone, not all tabs are visible at once.
    current.current?.scrollIntoView({ block: 'nearest', inline: 'center' });
  }, [section]);
  useEffect(() => {
    document.title = `${title} · Console · Pixseal`;
    // After a link is followed by keyboard, the focus moves to its target.
    if (first.current !== place) main.current?.focus();
    first.current = '';
  }, [place]);
  return (
    <>
      <nav class="sections" aria-label="Sections">
        {sections.map(([name, label]) => (
          <a
            key={name}
            ref={name === section ? current : null}
            class="tab"
            href={hrefTo(name)}
            aria-current={name === section ? 'page' : undefined}
          >
            {label}
          </a>
        ))}
      </nav>
      <main ref={main} tabIndex={-1}>
        <View section={section} route={route} />
      </main>
    </>
  );
}

interface ViewProps {
  readonly section: (typeof SECTIONS)[number][0];
  readonly route: Route;
}

function View({ section, route: { id, query } }: ViewProps): JSX.Element {
  switch (section) {
    case 'issuers':
      return id === null || id === '' ? <IssuersView /> : <IssuerView key={id} id={id} />;
    case 'accounts':
      return id === null || id === '' ? <AccountsView /> : <AccountView key={id} id={id} />;
    case 'images':
    case 'overlays':
      return <AssetsView key={section} kind={section} query={query} />;
    case 'usage':
      return <UsageView query={query} />;
    case 'token':
      return <TokenView />;
    case 'audit':
      return <AuditView query={query} />;
  }
}
