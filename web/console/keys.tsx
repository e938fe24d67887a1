import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { Choice, ConfirmButton, Facts, Id, Timestamp, TimestampForm, ProblemNote } from './parts.js';
import { SecretDialog } from './secret-dialog.js';
import {
  adminPath,
  type ServiceResponse,
  request,
  type IssuerWithKeys,
  type Key,
  type NewKey,
} from './service.js';
import { useAnnounce, useRights } from './session-context.js';
import { useMutation } from './use-service.js';

const HOUR = 3_600_000;
/** How long the older keys stay valid; `keep` leaves them unchanged. */
const OVERLAPS = [
  ['1', '1 hour'],
  ['24', '1 day'],
  ['168', '7 days'],
  ['720', '30 days'],
  ['0', 'not at all'],
  ['keep', 'unchanged'],
] as const;
const ALGORITHMS = ['HS256', 'HS384', 'HS512'].map((name) => [name, name] as const);

interface KeysSectionProps {
  readonly issuer: IssuerWithKeys;
  readonly onChange: () => void;
}

function stateOf({ not_before: from, not_after: until }: Key, now: number): 'live' | 'later' | 'over' {
  if (until !== null && Date.parse(until) <= now) return 'over';
  return from !== null && Date.parse(from) > now ? 'later' : 'live';
}

const BADGES = { live: '', later: 'not yet', over: 'retired' } as const;

/** An issuer's keys: rotation, and last uses. */
export function KeysSection({ issuer, onChange }: KeysSectionProps): JSX.Element {
  const { write } = useRights();
  return (
    <section class="card stack" aria-labelledby="keys-title">
      <h2 id="keys-title">Keys</h2>
      {write && <Rotate issuer={issuer} onChange={onChange} />}
      <ul class="rows" aria-label="Keys">
        {issuer.keys.map((key) => {
          const state = stateOf(key, Date.now());
          const path = adminPath(`issuers/${issuer.id}/keys/${key.id}`);
          return (
            <li key={key.id} class="inner">
              <div class="section-head">
                <span>
                  <Id id={key.id} name={`the kid ${key.id}`} />{' '}
                  {state !== 'live' && <span class="badge">{BADGES[state]}</span>}
                </span>
                {write && (
                  <ConfirmButton
                    label="Revoke"
                    of={`key ${key.id}`}
                    question="Revoke this key?"
                    consequence="Every token that it has sealed is refused from now on. This cannot be undone."
                    act={() => request('DELETE', path)}
                    onDone={onChange}
                  />
                )}
              </div>
              <Facts
                facts={[
                  ['Algorithm', key.public_key === null ? key.algorithm : `${key.algorithm}, a public key`],
                  ['Created', <Timestamp key="created" at={key.created_at} />],
                  ['Valid until', <Timestamp key="until" at={key.not_after} none="no expiry" />],
                  ['Last used', <Timestamp key="used" at={key.last_used_at} />],
                  ['Uses', key.uses.toLocaleString('en-GB')],
                ]}
              />
              {write && (
                <details>
                  <summary>
                    Change its expiry<span class="unseen"> of key {key.id}</span>
                  </summary>
                  <TimestampForm
                    key={key.not_after}
                    label="Valid until"
                    help="Its tokens are refused afterwards."
                    value={key.not_after}
                    save={(at) => request('PATCH', path, { body: { not_after: at } })}
                    onDone={onChange}
                  />
                </details>
              )}
            </li>
          );
        })}
      </ul>
    </section>
  );
}

function Rotate({ issuer, onChange }: KeysSectionProps): JSX.Element {
  const [overlap, setOverlap] = useState('24');
  const [algorithm, setAlgorithm] = useState('HS256');
  const [created, setCreated] = useState<NewKey | null>(null);
  const announce = useAnnounce();
  const { busy, problem, run } = useMutation();
  const path = adminPath(`issuers/${issuer.id}/keys`);

  /** The new key first: if a later request fails, its secret is still shown. */
  const rotate = async (): Promise<ServiceResponse<unknown>> => {
    const made = await request<NewKey>('POST', path, { body: { algorithm } });
    if ('problem' in made) return made;
    setCreated(made.ok);
    if (overlap === 'keep') return made;
    const now = Date.now();
    const end = new Date(now + Number(overlap) * HOUR).toISOString();
    for (const key of issuer.keys) {
      const endsSooner = key.not_after !== null && key.not_after <= end;
      // A new secret does not replace a public key.
      if (stateOf(key, now) !== 'live' || endsSooner || key.public_key !== null) continue;
      const response = await request('PATCH', `${path}/${key.id}`, { body: { not_after: end } });
      if ('problem' in response) return response;
    }
    return made;
  };

  return (
    <details>
      <summary>Rotate: create a key, and let the others expire</summary>
      <form
        class="stack"
        onSubmit={(event) => {
          event.preventDefault();
          void run(rotate).then((result) => {
            if (result !== null) announce('The key is created.');
            onChange();
          });
        }}
      >
        <div class="columns">
          <Choice
            label="The other keys stay valid"
            value={overlap}
            onValue={setOverlap}
            options={OVERLAPS}
            help="Long enough for your backends to switch over, and for existing tokens to expire."
          />
          <Choice label="Algorithm" value={algorithm} onValue={setAlgorithm} options={ALGORITHMS} />
        </div>
        <ProblemNote problem={problem} />
        <div class="row">
          <button class="button button-primary" aria-disabled={busy}>
            Rotate
          </button>
        </div>
      </form>
      {created !== null && (
        <SecretDialog
          created={created}
          onClose={() => {
            setCreated(null);
          }}
        />
      )}
    </details>
  );
}
