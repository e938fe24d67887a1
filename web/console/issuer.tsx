import type { JSX } from 'preact';
import { AccountLink } from './accounts.js';
import { Facts, Id, Timestamp, TimestampForm, ProblemNote } from './parts.js';
import { KeysSection } from './keys.js';
import { PolicySection } from './policy-editor.js';
import { RetainedPublicIdsSection } from './retained-public-ids.js';
import { RevocationsSection } from './revocations.js';
import { adminPath, request, type IssuerWithKeys } from './service.js';
import { useAnnounce, useRights } from './session-context.js';
import { UsageSection } from './usage.js';
import { hrefTo } from './use-route.js';
import { useMutation, useQuery } from './use-service.js';

/** One issuer: its state, keys, policy and revocations. */
export function IssuerView({ id }: { readonly id: string }): JSX.Element {
  const { value: issuer, problem, reload } = useQuery<IssuerWithKeys>(adminPath(`issuers/${id}`));
  const { writeIssuers } = useRights();
  return (
    <div class="stack">
      <p>
        <a href={hrefTo('issuers')}>All issuers</a>
      </p>
      <ProblemNote problem={problem} />
      {issuer !== null && (
        <>
          <h1>
            {issuer.name} {issuer.disabled && <span class="badge badge-bad">disabled</span>}
          </h1>
          <section class="card stack" aria-label="The issuer">
            <Id id={issuer.id} name="the issuer’s id" />
            <Facts
              facts={[
                ['Format', issuer.delivery_format],
                ['Account', <AccountLink key="account" id={issuer.account_id} />],
                ['Tokens signed before', <Timestamp key="before" at={issuer.not_before} none="no limit" />],
                ...providerFacts(issuer),
                ['Created', <Timestamp key="created" at={issuer.created_at} />],
              ]}
            />
            <p class="row wrap">
              <a href={hrefTo('images', { issuer_id: issuer.id })}>Images</a>
              <a href={hrefTo('overlays', { issuer_id: issuer.id })}>Overlays</a>
              <a href={hrefTo('audit', { issuer_id: issuer.id })}>Audit</a>
            </p>
            {writeIssuers && <State issuer={issuer} onDone={reload} />}
          </section>
          <UsageSection issuerId={issuer.id} />
          <KeysSection issuer={issuer} onChange={reload} />
          <PolicySection issuer={issuer} onChange={reload} />
          <RevocationsSection issuerId={issuer.id} />
          <RetainedPublicIdsSection issuerId={issuer.id} />
        </>
      )}
    </div>
  );
}

/** Where tokens of an identity provider come from, if they do. */
function providerFacts({ iss_aliases: aliases, aud, jwks_url: url }: IssuerWithKeys): [string, string][] {
  return [
    ...aliases.map((alias): [string, string] => ['Also `iss`', alias]),
    ...(aud === null ? [] : [['Required `aud`', aud] as [string, string]]),
    ...(url === null ? [] : [['Further public keys', url] as [string, string]]),
  ];
}

interface StateProps {
  readonly issuer: IssuerWithKeys;
  readonly onDone: () => void;
}

function State({ issuer, onDone }: StateProps): JSX.Element {
  const { busy, problem, run } = useMutation();
  const announce = useAnnounce();
  const path = adminPath(`issuers/${issuer.id}`);
  return (
    <details>
      <summary>Disable it, or refuse its older tokens</summary>
      <div class="stack">
        <div class="stack-tight">
          <div class="row">
            <button
              type="button"
              class="button button-small"
              aria-disabled={busy}
              onClick={() => {
                const body = { disabled: !issuer.disabled };
                void run(() => request('PATCH', path, { body })).then((result) => {
                  if (result === null) return;
                  announce(issuer.disabled ? 'The issuer is enabled.' : 'The issuer is disabled.');
                  onDone();
                });
              }}
            >
              {issuer.disabled ? 'Enable' : 'Disable'}
            </button>
          </div>
          <p class="hint">A disabled issuer’s tokens are refused; nothing is deleted.</p>
          <ProblemNote problem={problem} />
        </div>
        <TimestampForm
          label="Refuse tokens sealed before"
          help="Compared with their `iat`; tokens without one are refused too."
          value={issuer.not_before}
          save={(at) => request('PATCH', path, { body: { not_before: at } })}
          onDone={onDone}
        />
      </div>
    </details>
  );
}
