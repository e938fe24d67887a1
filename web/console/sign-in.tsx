import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { Input, ProblemNote } from './parts.js';
import { type Session, signIn } from './service.js';
import { useMutation } from './use-service.js';

interface SignInProps {
  /** Why signing in is required. */
  readonly reason: string | null;
  /** Whether users of an OpenID Connect provider can sign in. */
  readonly oidc: boolean;
  readonly onIn: (session: Session) => void;
}

/** Sends an admin key and forgets it: only a cookie that no script can read remains. */
export function SignIn({ reason, oidc, onIn }: SignInProps): JSX.Element {
  const [key, setKey] = useState('');
  const { busy, problem, run } = useMutation();
  return (
    <form
      class="card stack"
      onSubmit={(event) => {
        event.preventDefault();
        void run(() => signIn(key.trim())).then((result) => {
          if (!result?.done.session) return;
          setKey('');
          onIn(result.done.session);
        });
      }}
    >
      <h1>Sign in</h1>
      {reason !== null && problem === null && (
        <p class="note note-warn" role="alert">
          {reason}
        </p>
      )}
      {oidc && (
        <a class="button" href="/console/oidc/sign-in">
          Sign in with your organization’s account
        </a>
      )}
      <Input
        label="Admin key"
        help="One of ADMIN_API_KEYS, or a key created with the admin API. In embedded mode it is admin_api_key in data/secrets.json. The page does not store it."
        type="password"
        code
        required
        value={key}
        onValue={setKey}
      />
      <ProblemNote problem={problem} />
      <button class="button button-primary" aria-disabled={busy}>
        Sign in
      </button>
    </form>
  );
}
