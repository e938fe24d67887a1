import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { type AssetKind, SINGULAR } from './asset-parts.js';
import { Dialog } from './parts.js';
import { adminPath, type Asset, type Problem, request } from './service.js';
import { useAnnounce } from './session-context.js';

/** Requests at once: each is a transaction of the service. */
const CONCURRENCY = 4;

interface BulkAction {
  readonly label: string;
  readonly consequence: string;
  readonly isDangerous: boolean;
  readonly send: (path: string) => ReturnType<typeof request>;
}

const DELETE: BulkAction = {
  label: 'Delete',
  consequence:
    'Requests for them are refused from now on. Their public ids stay reserved for their issuers until they are released.',
  isDangerous: true,
  send: (path) => request('DELETE', path),
};
const accessAction = (access: string, label: string, consequence: string): BulkAction => ({
  label,
  consequence,
  isDangerous: access === 'public',
  send: (path) => request('PATCH', path, { body: { access } }),
});
const PUBLISH = accessAction('public', 'Make public', 'They are then shown without a token too.');
const RESTRICT = accessAction('token', 'Require a token', 'They are then shown with a token only.');

interface BulkActionsProps {
  readonly kind: AssetKind;
  readonly page: readonly Asset[];
  readonly selected: readonly Asset[];
  readonly onSelect: (assets: readonly Asset[]) => void;
  readonly onDone: () => void;
}

/** Actions on the selected images or overlays of a page. Those that fail stay selected, and are named even if the page is then empty. */
export function BulkActions({ kind, page, selected, onSelect, onDone }: BulkActionsProps): JSX.Element {
  const [action, setAction] = useState<BulkAction | null>(null);
  const actions = kind === 'images' ? [RESTRICT, PUBLISH, DELETE] : [DELETE];
  const isAll = page.length > 0 && selected.length === page.length;
  return (
    <div class="row wrap bulk">
      {page.length > 0 && (
        <>
          <button
            type="button"
            class="button button-small"
            onClick={() => {
              onSelect(isAll ? [] : page);
            }}
          >
            {isAll ? 'Select none' : 'Select all of this page'}
          </button>
          <span class="hint">{selected.length} selected</span>
        </>
      )}
      {selected.length > 0 &&
        actions.map((each) => (
          <button
            key={each.label}
            type="button"
            class={each.isDangerous ? 'button button-small button-bad' : 'button button-small'}
            onClick={() => {
              setAction(each);
            }}
          >
            {each.label}
            <span class="unseen"> {selected.length} selected</span>
          </button>
        ))}
      {action !== null && (
        <BulkDialog
          kind={kind}
          action={action}
          assets={selected}
          onDone={(failed) => {
            onSelect(failed);
            onDone();
          }}
          onClose={() => {
            setAction(null);
          }}
        />
      )}
    </div>
  );
}

interface Failure {
  readonly asset: Asset;
  readonly problem: Problem;
}

interface BulkDialogProps {
  readonly kind: AssetKind;
  readonly action: BulkAction;
  readonly assets: readonly Asset[];
  readonly onDone: (failed: readonly Asset[]) => void;
  readonly onClose: () => void;
}

/** Confirms an action on a number of rows, sends a request for each, and reports each failure. */
function BulkDialog({ kind, action, assets, onDone, onClose }: BulkDialogProps): JSX.Element {
  // The rows that were confirmed: the selection changes with the result.
  const [rows] = useState(assets);
  const [done, setDone] = useState<number | null>(null);
  const [failures, setFailures] = useState<readonly Failure[] | null>(null);
  const announce = useAnnounce();
  const number = `${rows.length} ${SINGULAR[kind]}${rows.length === 1 ? '' : 's'}`;
  const run = async (): Promise<void> => {
    setDone(0);
    const failed = await sendAll(kind, rows, action, setDone);
    setFailures(failed);
    announce(`${rows.length - failed.length} of ${number} changed.`);
    onDone(failed.map(({ asset }) => asset));
    if (failed.length === 0) onClose();
  };
  return (
    <Dialog
      title={`${action.label}: ${number}?`}
      light={done === null || failures !== null}
      onClose={onClose}
    >
      {failures === null ? (
        <p>{action.consequence}</p>
      ) : (
        <div class="note note-bad" role="alert">
          <p>
            {failures.length} of {number} failed and stay selected; all others are changed.
          </p>
          <ul>
            {failures.map(({ asset: { id, public_id: publicId }, problem: { detail } }) => (
              <li key={id}>
                <span class="code">{publicId}</span>: {detail}
              </li>
            ))}
          </ul>
        </div>
      )}
      {done !== null && failures === null && (
        <label class="stack-tight">
          <span class="hint">
            {done} of {rows.length}
          </span>
          <progress max={rows.length} value={done} />
        </label>
      )}
      <div class="row end">
        {(done === null || failures !== null) && (
          <button type="button" class="button" onClick={onClose}>
            {failures === null ? 'Cancel' : 'Close'}
          </button>
        )}
        {failures === null && (
          <button
            type="button"
            class={action.isDangerous ? 'button button-danger' : 'button button-primary'}
            aria-disabled={done !== null}
            onClick={() => {
              if (done === null) void run();
            }}
          >
            {action.label} ({rows.length})
          </button>
        )}
      </div>
    </Dialog>
  );
}

/** Sends one request for each row. @returns those that were refused, in order. */
async function sendAll(
  kind: AssetKind,
  rows: readonly Asset[],
  { send }: BulkAction,
  onProgress: (done: number) => void,
): Promise<readonly Failure[]> {
  const problems = new Map<Asset, Problem>();
  const waiting = [...rows];
  let done = 0;
  const work = async (): Promise<void> => {
    for (let asset = waiting.shift(); asset !== undefined; asset = waiting.shift()) {
      const response = await send(adminPath(`${kind}/${asset.id}`));
      if ('problem' in response) problems.set(asset, response.problem);
      onProgress((done += 1));
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, work));
  return [...problems].map(([asset, problem]) => ({ asset, problem }));
}
