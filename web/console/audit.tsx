import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { Input, IssuerChoice, Timestamp, Pager, ProblemNote } from './parts.js';
import { adminPath, type AuditEntry } from './service.js';
import { hrefTo } from './use-route.js';
import { usePaged } from './use-service.js';

const ACTIONS = ['issuer', 'issuer_key', 'image', 'overlay', 'revocation', 'admin_key'].flatMap((noun) =>
  ['create', 'update', 'delete'].map((verb) => `${noun}.${verb}`),
);

interface AuditViewProps {
  readonly query: Readonly<Record<string, string>>;
}

/** The audit log, newest first. */
export function AuditView({ query }: AuditViewProps): JSX.Element {
  const { issuer_id = '', action = '', row_id = '' } = query;
  const filters = { issuer_id, action, row_id };
  const path = adminPath('audit', { limit: '50', ...filters });
  const list = usePaged<AuditEntry>(path);
  // A draft belongs to the list beside which it was typed.
  const [draft, setDraft] = useState({ of: path, typed: filters });
  const typed = draft.of === path ? draft.typed : filters;
  const set = (name: keyof typeof filters) => (value: string) => {
    setDraft({ of: path, typed: { ...typed, [name]: value } });
  };
  return (
    <div class="stack">
      <h1>Audit</h1>
      <form
        class="row filter"
        role="search"
        onSubmit={(event) => {
          event.preventDefault();
          window.location.hash = hrefTo('audit', typed);
        }}
      >
        <IssuerChoice none="All issuers" value={typed.issuer_id} onValue={set('issuer_id')} />
        <Input label="Action" code value={typed.action} onValue={set('action')} suggestions={ACTIONS} />
        <Input label="Row’s id" code value={typed.row_id} onValue={set('row_id')} />
        <button class="button">Find</button>
      </form>
      <ProblemNote problem={list.problem} />
      <ul class="rows" aria-label="Audit" aria-busy={list.busy}>
        {list.value?.items.map((entry) => (
          <li key={entry.id}>
            <Entry entry={entry} />
          </li>
        ))}
      </ul>
      {list.value?.items.length === 0 && <p class="note">No entries.</p>}
      <Pager list={list} name="the audit log" />
    </div>
  );
}

function Entry({ entry }: { readonly entry: AuditEntry }): JSX.Element {
  const [open, setOpen] = useState(false);
  return (
    <details
      class="card entry"
      onToggle={(event) => {
        setOpen(event.currentTarget.open);
      }}
    >
      <summary>
        <span class="entry-head">
          <strong class="code">{entry.action}</strong>
          <span class="code soft wrap-anywhere">{entry.row_id}</span>
          <span class="soft">
            <Timestamp at={entry.at} />
          </span>
          <span class="code soft wrap-anywhere">{entry.actor}</span>
        </span>
      </summary>
      {open && <Difference entry={entry} />}
    </details>
  );
}

const shown = (value: unknown): string =>
  value === undefined ? '' : typeof value === 'string' ? value : JSON.stringify(value, null, 1);

/** The columns that differ between the row before and after. */
function Difference({
  entry: { before, after, request_id: requestId },
}: {
  readonly entry: AuditEntry;
}): JSX.Element {
  const columns = [...new Set([...Object.keys(before ?? {}), ...Object.keys(after ?? {})])].filter(
    (name) => JSON.stringify(before?.[name]) !== JSON.stringify(after?.[name]),
  );
  return (
    <div class="stack-tight">
      <table class="table difference">
        <thead>
          <tr>
            <th scope="col">Column</th>
            <th scope="col">Before</th>
            <th scope="col">After</th>
          </tr>
        </thead>
        <tbody>
          {columns.map((name) => (
            <tr key={name}>
              <th scope="row">{name}</th>
              <td>{before !== null && name in before && <del class="code">{shown(before[name])}</del>}</td>
              <td>{after !== null && name in after && <ins class="code">{shown(after[name])}</ins>}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {requestId !== null && (
        <p class="hint">
          Request <span class="code">{requestId}</span>
        </p>
      )}
    </div>
  );
}
