import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { AccountChoice } from './accounts.js';
import { Choice, Facts, Input, Timestamp, Pager, ProblemNote } from './parts.js';
import { PolicyEditor, usePolicyDraft } from './policy-editor.js';
import { SecretDialog } from './secret-dialog.js';
import { adminPath, request, type Issuer, type NewKey } from './service.js';
import { useAnnounce, useNewIssuerPolicy, useRights } from './session-context.js';
import { hrefTo } from './use-route.js';
import { useMutation, usePaged } from './use-service.js';

const FORMATS = ['jpg', 'png', 'webp', 'avif', 'gif', 'jxl', 'original'].map((name) => [name, name] as const);

/** All issuers, and a form for a new one. */
export function IssuersView(): JSX.Element {
  const { writeIssuers } = useRights();
  const [typed, setTyped] = useState('');
  const [name, setName] = useState('');
  const list = usePaged<Issuer>(adminPath('issuers', { limit: '50', search: name }));
  return (
    <div class="stack">
      <div class="section-head">
        <h1>Issuers</h1>
      </div>
      {writeIssuers && <CreateIssuer onDone={list.reload} />}
      <form
        class="row filter"
        role="search"
        onSubmit={(event) => {
          event.preventDefault();
          setName(typed.trim());
        }}
      >
        <Input label="Part of the name" value={typed} onValue={setTyped} />
        <button class="button">Find</button>
      </form>
      <ProblemNote problem={list.problem} />
      <ul class="rows" aria-label="Issuers" aria-busy={list.busy}>
        {list.value?.items.map((issuer) => (
          <li key={issuer.id} class="card">
            <h2>
              <a href={hrefTo(`issuers/${issuer.id}`)}>{issuer.name}</a>{' '}
              {issuer.disabled && <span class="badge badge-bad">disabled</span>}
            </h2>
            <p class="code soft">{issuer.id}</p>
            <Facts
              facts={[
                ['Format', issuer.delivery_format],
                ['Policy', Object.keys(issuer.policy).length === 0 ? 'none' : 'set'],
                ['Created', <Timestamp key="created" at={issuer.created_at} />],
              ]}
            />
          </li>
        ))}
      </ul>
      {list.value?.items.length === 0 && <p class="note">No issuers found.</p>}
      <Pager list={list} name="issuers" />
    </div>
  );
}

function CreateIssuer({ onDone }: { readonly onDone: () => void }): JSX.Element {
  const [name, setName] = useState('');
  const [format, setFormat] = useState('jpg');
  const [accountId, setAccountId] = useState('');
  const [created, setCreated] = useState<NewKey | null>(null);
  const draft = usePolicyDraft(useNewIssuerPolicy());
  const announce = useAnnounce();
  const { busy, problem, run } = useMutation();
  return (
    <details class="card">
      <summary>Create an issuer</summary>
      <form
        class="stack"
        onSubmit={(event) => {
          event.preventDefault();
          const policy = draft.read();
          if (policy === null) return;
          const body = {
            name: name.trim(),
            delivery_format: format,
            account_id: accountId.trim() === '' ? null : accountId.trim(),
            ...policy,
          };
          void run(async () => {
            const response = await request<{ key: NewKey }>('POST', adminPath('issuers'), { body });
            if ('problem' in response) draft.mark(response.problem);
            return response;
          }).then((result) => {
            if (result === null) return;
            setName('');
            setCreated(result.done.key);
            announce('The issuer is created.');
            onDone();
          });
        }}
      >
        <div class="columns">
          <Input label="Name" required value={name} onValue={setName} />
          <Choice label="Format of delivered URLs" value={format} onValue={setFormat} options={FORMATS} />
          <AccountChoice value={accountId} onValue={setAccountId} />
        </div>
        <div class="stack-tight">
          <p class="label">Policy</p>
          <p class="hint">
            The policy of its tokens, as JSON. Under the recommended policy a token must name its image and
            expire, a misspelled key is refused, and no step generates a part of the image;{' '}
            <span class="code">{'{}'}</span> restricts nothing. It can be changed later.
          </p>
          <PolicyEditor draft={draft} />
        </div>
        {draft.mistakes.length === 0 && <ProblemNote problem={problem} />}
        <div class="row">
          <button class="button button-primary" aria-disabled={busy}>
            Create
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
