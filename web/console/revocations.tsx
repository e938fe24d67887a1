import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { Choice, ConfirmButton, Facts, fromLocal, Input, Timestamp, Pager, ProblemNote } from './parts.js';
import { adminPath, request, type Revocation } from './service.js';
import { useAnnounce, useRights } from './session-context.js';
import { useMutation, usePaged } from './use-service.js';

const KINDS = [
  ['jti', 'One token, by its jti'],
  ['session_id', 'Many tokens, by their session_id'],
] as const;

/** An issuer's revoked tokens and sessions. */
export function RevocationsSection({ issuerId }: { readonly issuerId: string }): JSX.Element {
  const path = `issuers/${issuerId}/revocations`;
  const list = usePaged<Revocation>(adminPath(path, { limit: '25' }));
  const { write } = useRights();
  return (
    <section class="card stack" aria-labelledby="revocations-title">
      <h2 id="revocations-title">Revocations</h2>
      {write && <Revoke path={adminPath(path)} onDone={list.reload} />}
      <ProblemNote problem={list.problem} />
      <ul class="rows" aria-label="Revocations" aria-busy={list.busy}>
        {list.value?.items.map(({ id, jti, session_id: session, revoked_at: at, expires_at: end }) => (
          <li key={id} class="inner">
            <div class="section-head">
              <span class="code wrap-anywhere">{jti ?? session}</span>
              {write && (
                <ConfirmButton
                  label="Lift"
                  of={`the revocation of ${jti ?? session ?? ''}`}
                  question="Lift this revocation?"
                  consequence="Matching tokens become valid again, unless they are invalid otherwise."
                  act={() => request('DELETE', adminPath(`${path}/${id}`))}
                  onDone={list.reload}
                />
              )}
            </div>
            <Facts
              facts={[
                ['Revokes', jti === null ? 'a session' : 'a token'],
                ['Revoked', <Timestamp key="at" at={at} />],
                ['May be deleted after', <Timestamp key="end" at={end} />],
              ]}
            />
          </li>
        ))}
      </ul>
      {list.value?.items.length === 0 && <p class="hint">No revocations.</p>}
      <Pager list={list} name="revocations" />
    </section>
  );
}

function Revoke({ path, onDone }: { readonly path: string; readonly onDone: () => void }): JSX.Element {
  const [kind, setKind] = useState('jti');
  const [name, setName] = useState('');
  const [end, setEnd] = useState('');
  const announce = useAnnounce();
  const { busy, problem, run } = useMutation();
  return (
    <details>
      <summary>Revoke tokens</summary>
      <form
        class="stack"
        onSubmit={(event) => {
          event.preventDefault();
          void run(() => request('POST', path, { body: { [kind]: name, expires_at: fromLocal(end) } })).then(
            (result) => {
              if (result === null) return;
              setName('');
              announce('The revocation is created.');
              onDone();
            },
          );
        }}
      >
        <div class="columns">
          <Choice label="What" value={kind} onValue={setKind} options={KINDS} />
          <Input label={kind} code required value={name} onValue={setName} />
          <Input
            label="Last exp"
            help="When its last token expires: the revocation may then be deleted. Empty: never."
            type="datetime-local"
            value={end}
            onValue={setEnd}
          />
        </div>
        <ProblemNote problem={problem} />
        <div class="row">
          <button class="button button-primary" aria-disabled={busy}>
            Revoke
          </button>
        </div>
      </form>
    </details>
  );
}
