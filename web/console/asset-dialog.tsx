import type { JSX } from 'preact';
import { useRef, useState } from 'preact/hooks';
import { Field } from '../design/field.js';
import { type AssetKind, SINGULAR, Thumbnail, ACCESSES, UploadProgress } from './asset-parts.js';
import { Choice, ConfirmButton, Dialog, Facts, Id, Timestamp, TimestampForm, ProblemNote } from './parts.js';
import { adminPath, type ServiceResponse, type Asset, request, upload } from './service.js';
import { useAnnounce, useRights } from './session-context.js';
import { hrefTo } from './use-route.js';
import { useMutation } from './use-service.js';

interface AssetDialogProps {
  readonly kind: AssetKind;
  readonly asset: Asset;
  /** Null after deletion. */
  readonly onChange: (asset: Asset | null) => void;
  readonly onClose: () => void;
}

/** Details of one image or overlay, and its actions. */
export function AssetDialog({ kind, asset, onChange, onClose }: AssetDialogProps): JSX.Element {
  const { write } = useRights();
  return (
    <Dialog title={asset.public_id} onClose={onClose}>
      <div class="columns">
        <figure class="preview">
          <Thumbnail key={asset.updated_at} kind={kind} asset={asset} />
          {kind === 'images' && <figcaption class="hint">Under the issuer’s policy</figcaption>}
        </figure>
        {kind === 'images' && write && (
          <figure class="preview">
            <Thumbnail key={asset.updated_at} kind={kind} asset={asset} of="original-preview" />
            <figcaption class="hint">The original</figcaption>
          </figure>
        )}
      </div>
      <Id id={asset.id} name={`the ${SINGULAR[kind]}’s id`} />
      <Facts
        facts={[
          [
            'Issuer',
            <a key="issuer" class="code" href={hrefTo(`issuers/${asset.issuer_id}`)}>
              {asset.issuer_id}
            </a>,
          ],
          ['Delivery type', asset.delivery_type],
          ...(asset.version === undefined ? [] : [['Version', asset.version] as const]),
          ...(asset.access === undefined ? [] : [['Opens', asset.access] as const]),
          ...(asset.shared === undefined ? [] : [['Shared', asset.shared ? 'yes' : 'no'] as const]),
          ['Created', <Timestamp key="created" at={asset.created_at} />],
          ['Changed', <Timestamp key="updated" at={asset.updated_at} />],
        ]}
      />
      <p>
        <a href={hrefTo('audit', { row_id: asset.id })}>Audit log</a>
      </p>
      {write && <Changes kind={kind} asset={asset} onChange={onChange} />}
      <div class="row end">
        {write && (
          <ConfirmButton
            label="Delete"
            of={asset.public_id}
            question={`Delete this ${SINGULAR[kind]}?`}
            consequence="Requests for it are refused from now on. Its public id stays reserved for this issuer until it is released."
            act={() => request('DELETE', adminPath(`${kind}/${asset.id}`))}
            onDone={() => {
              onChange(null);
            }}
          />
        )}
        <button type="button" class="button" onClick={onClose}>
          Close
        </button>
      </div>
    </Dialog>
  );
}

function Changes({ kind, asset, onChange }: Omit<AssetDialogProps, 'onClose'>): JSX.Element {
  const path = adminPath(`${kind}/${asset.id}`);
  const rights = useRights();
  const announce = useAnnounce();
  const file = useRef<HTMLInputElement>(null);
  const [sent, setSent] = useState<number | null>(null);
  const { busy, problem, run } = useMutation();
  const change = async (work: () => Promise<ServiceResponse<Asset>>): Promise<ServiceResponse<Asset>> => {
    const response = await work();
    if ('problem' in response) return response;
    announce(`${asset.public_id} is changed.`);
    onChange(response.ok);
    return response;
  };
  return (
    <details>
      <summary>Change it</summary>
      <div class="stack">
        {asset.access !== undefined && (
          <AccessForm
            value={asset.access}
            busy={busy}
            onSave={(access) => {
              void run(() => change(() => request('PATCH', path, { body: { access } })));
            }}
          />
        )}
        {asset.shared !== undefined && rights.issuerId === null && (
          <button
            type="button"
            class="button button-small"
            aria-disabled={busy}
            onClick={() => {
              void run(() => change(() => request('PATCH', path, { body: { shared: !asset.shared } })));
            }}
          >
            {asset.shared ? 'Stop sharing it with other issuers' : 'Share it with policies of other issuers'}
          </button>
        )}
        {asset.not_before !== undefined && (
          <TimestampForm
            label="Refuse tokens sealed before"
            help="Compared with their `iat`; tokens without one are refused too."
            value={asset.not_before}
            save={(at) => change(() => request('PATCH', path, { body: { not_before: at } }))}
            onDone={() => undefined}
          />
        )}
        <form
          class="stack-tight"
          onSubmit={(event) => {
            event.preventDefault();
            const chosen = file.current?.files?.[0];
            if (chosen === undefined) return;
            const form = new FormData();
            form.set('file', chosen);
            void run(() =>
              change(async () => {
                setSent(0);
                const response = await upload<Asset>('PUT', `${path}/original`, form, setSent);
                setSent(null);
                return response;
              }),
            );
          }}
        >
          <Field label="New original">
            {({ id }) => <input id={id} ref={file} class="input" type="file" required accept="image/*" />}
          </Field>
          <UploadProgress part={sent} />
          <div class="row">
            <button class="button button-small" aria-disabled={busy}>
              Replace
            </button>
          </div>
        </form>
        <ProblemNote problem={problem} />
      </div>
    </details>
  );
}

interface AccessFormProps {
  readonly value: string;
  readonly busy: boolean;
  readonly onSave: (access: string) => void;
}

/** An image's access. It has a button to save: in a closed list, an arrow key would make the image public. */
function AccessForm({ value, busy, onSave }: AccessFormProps): JSX.Element {
  const [access, setAccess] = useState(value);
  return (
    <form
      class="stack-tight"
      onSubmit={(event) => {
        event.preventDefault();
        onSave(access);
      }}
    >
      <Choice label="Opens" value={access} onValue={setAccess} options={ACCESSES} />
      <div class="row">
        <button class="button button-small" aria-disabled={busy}>
          Save<span class="unseen"> “Opens”</span>
        </button>
      </div>
    </form>
  );
}
