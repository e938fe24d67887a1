import type { JSX } from 'preact';
import { useRef, useState } from 'preact/hooks';
import { Field } from '../design/field.js';
import { ACCESSES, type AssetKind, UploadProgress, SINGULAR } from './asset-parts.js';
import { Choice, Input, IssuerChoice, ProblemNote } from './parts.js';
import { adminPath, type Asset, request, upload } from './service.js';
import { useAnnounce, useRights } from './session-context.js';
import { useMutation } from './use-service.js';

const TYPES = ['authenticated', 'private', 'upload'].map((name) => [name, name] as const);

interface AddAssetProps {
  readonly kind: AssetKind;
  /** As shown by the list. */
  readonly issuerId: string;
  readonly onDone: () => void;
}

/** Uploads an original, or registers one that is already in Cloudinary. */
export function AddAsset({ kind, issuerId, onDone }: AddAssetProps): JSX.Element {
  const rights = useRights();
  const announce = useAnnounce();
  const file = useRef<HTMLInputElement>(null);
  const [issuer, setIssuer] = useState(issuerId);
  const [publicId, setPublicId] = useState('');
  const [version, setVersion] = useState('');
  const [type, setType] = useState(kind === 'images' ? 'authenticated' : 'private');
  const [access, setAccess] = useState('token');
  const [sent, setSent] = useState<number | null>(null);
  const { busy, problem, run } = useMutation();
  const image = kind === 'images';

  const add = async (): Promise<void> => {
    const chosen = file.current?.files?.[0];
    const fields = {
      issuer_id: rights.issuerId ?? issuer,
      public_id: publicId.trim(),
      delivery_type: type,
      ...(image ? { access } : {}),
    };
    const result = await run<Asset>(async () => {
      if (chosen === undefined) {
        const body = { ...fields, ...(image ? { version: Number(version) } : {}) };
        return request('POST', adminPath(kind), { body });
      }
      const form = new FormData();
      for (const [name, value] of Object.entries(fields)) form.set(name, value);
      form.set('file', chosen);
      setSent(0);
      const response = await upload<Asset>('POST', adminPath(kind), form, setSent);
      setSent(null);
      return response;
    });
    if (result === null) return;
    setPublicId('');
    setVersion('');
    if (file.current !== null) file.current.value = '';
    announce(`The ${SINGULAR[kind]} ${result.done.public_id} is added.`);
    onDone();
  };

  return (
    <details class="card">
      <summary>Add an {SINGULAR[kind]}</summary>
      <form
        class="stack"
        onSubmit={(event) => {
          event.preventDefault();
          void add();
        }}
      >
        <div class="columns">
          <IssuerChoice none="Choose an issuer" required value={issuer} onValue={setIssuer} />
          <Input label="Public id" code required value={publicId} onValue={setPublicId} />
          <Field
            label="File"
            help="JPEG, PNG, WebP, AVIF, GIF, TIFF, SVG, BMP, ICO, HEIC, JPEG XL or PDF, up to 25 MiB. Leave empty if it is already in Cloudinary."
          >
            {({ id, describedBy }) => (
              <input
                id={id}
                ref={file}
                class="input"
                type="file"
                accept="image/jpeg,image/png,image/webp,image/avif,image/gif,image/tiff"
                aria-describedby={describedBy}
              />
            )}
          </Field>
          {image && (
            <Input
              label="Version"
              help="From Cloudinary’s upload response; not needed with a file."
              type="number"
              value={version}
              onValue={setVersion}
            />
          )}
          <Choice label="Delivery type" value={type} onValue={setType} options={TYPES} />
          {image && <Choice label="Opens" value={access} onValue={setAccess} options={ACCESSES} />}
        </div>
        <UploadProgress part={sent} />
        <ProblemNote problem={problem} />
        <div class="row">
          <button class="button button-primary" aria-disabled={busy}>
            Add
          </button>
        </div>
      </form>
    </details>
  );
}
