import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { Field } from '../design/field.js';
import { TextControl } from './controls.js';
import { listRows, type Row } from './service.js';
import { ALGORITHMS, type Algorithm } from './token.js';

/** Who seals, and which picture. The secret lives in this object and in its field, nowhere else. */
export interface Connection {
  readonly issuerId: string;
  readonly secret: string;
  readonly algorithm: Algorithm;
  readonly imageId: string;
}

/** What a link to the playground can bring along, behind the `#`, which no browser sends. */
export interface Brought {
  readonly connection: Connection;
  readonly overlays: readonly Row[];
}

/** Reads the fragment, and takes it out of the address and the history. */
export function takeFragment(): Brought {
  const brought = new URLSearchParams(window.location.hash.slice(1));
  if (window.location.hash !== '') window.history.replaceState(null, '', window.location.pathname);
  const algorithm = ALGORITHMS.find((each) => each === brought.get('algorithm')) ?? 'HS256';
  return {
    connection: {
      issuerId: brought.get('issuer') ?? '',
      secret: brought.get('secret') ?? '',
      algorithm,
      imageId: brought.get('image') ?? '',
    },
    overlays: brought.getAll('overlay').map((id) => ({ id, public_id: 'brought by the link' })),
  };
}

interface ConnectionFormProps {
  readonly connection: Connection;
  readonly onChange: (connection: Connection) => void;
  readonly onOverlays: (overlays: readonly Row[]) => void;
}

/** The issuer, its secret, and the image. */
export function ConnectionForm({ connection, onChange, onOverlays }: ConnectionFormProps): JSX.Element {
  const [images, setImages] = useState<readonly Row[]>([]);
  const [issuers, setIssuers] = useState<readonly Row[]>([]);
  const set = (members: Partial<Connection>): void => {
    onChange({ ...connection, ...members });
  };
  return (
    <div class="stack">
      <div class="columns">
        <Field label="Issuer" help="Its id, or the dsn that it came with.">
          {(control) => (
            <TextControl
              {...control}
              value={connection.issuerId}
              placeholder="Id of an issuer"
              suggestions={issuers.map(({ id, name }) => ({ value: id, label: name ?? id }))}
              onValue={(typed) => {
                set(readDsn(typed) ?? { issuerId: typed });
              }}
            />
          )}
        </Field>
        <Field label="Secret" help="Stays in this page: it is not stored, and not sent.">
          {({ id, describedBy }) => (
            <div class="row">
              <input
                id={id}
                class="input code"
                type="password"
                value={connection.secret}
                aria-describedby={describedBy}
                placeholder="The issuer’s secret"
                autocomplete="off"
                spellcheck={false}
                onInput={(event) => {
                  set({ secret: event.currentTarget.value });
                }}
              />
              <select
                class="input algorithm"
                aria-label="Algorithm"
                value={connection.algorithm}
                onInput={(event) => {
                  const { value } = event.currentTarget;
                  set({ algorithm: ALGORITHMS.find((each) => each === value) ?? 'HS256' });
                }}
              >
                {ALGORITHMS.map((algorithm) => (
                  <option key={algorithm}>{algorithm}</option>
                ))}
              </select>
            </div>
          )}
        </Field>
      </div>
      <Field label="Image">
        {(control) => (
          <TextControl
            {...control}
            value={connection.imageId}
            placeholder="Id of an image"
            suggestions={images.map(({ id, public_id }) => ({ value: id, label: public_id ?? id }))}
            onValue={(imageId) => {
              set({ imageId });
            }}
          />
        )}
      </Field>
      <details>
        <summary>Pick from lists, with an admin key</summary>
        <Picker
          connection={connection}
          onPick={set}
          onIssuers={setIssuers}
          onImages={setImages}
          onOverlays={onOverlays}
        />
      </details>
    </div>
  );
}

/** `http://ISSUER:SECRET@host/?kid=…`, as a new key shows it. */
function readDsn(typed: string): Partial<Connection> | null {
  if (!URL.canParse(typed)) return null;
  const { username, password } = new URL(typed);
  return username === '' || password === ''
    ? null
    : { issuerId: username, secret: decodeURIComponent(password) };
}

interface PickerProps {
  readonly connection: Connection;
  readonly onPick: (members: Partial<Connection>) => void;
  readonly onIssuers: (rows: readonly Row[]) => void;
  readonly onImages: (rows: readonly Row[]) => void;
  readonly onOverlays: (rows: readonly Row[]) => void;
}

/** Lists of the admin API, for whoever has a key of it. The key is kept in memory alone. */
function Picker({ connection, onPick, onIssuers, onImages, onOverlays }: PickerProps): JSX.Element {
  const [adminKey, setAdminKey] = useState('');
  const [issuers, setIssuers] = useState<readonly Row[] | null>(null);
  const [images, setImages] = useState<readonly Row[] | null>(null);
  const [trouble, setTrouble] = useState<string | null>(null);

  const list = async (
    rows: 'issuers' | 'images' | 'overlays',
    issuerId: string | null,
  ): Promise<readonly Row[] | null> => {
    const answer = await listRows(adminKey, rows, issuerId);
    if ('ok' in answer) return answer.ok.items;
    setTrouble(answer.problem.detail);
    return null;
  };
  const loadIssuers = async (): Promise<void> => {
    setTrouble(null);
    const rows = await list('issuers', null);
    setIssuers(rows);
    setImages(null);
    onIssuers(rows ?? []);
  };
  const chooseIssuer = async (issuerId: string): Promise<void> => {
    setTrouble(null);
    onPick({ issuerId });
    if (issuerId === '') return;
    const [pictures, overlays] = await Promise.all([list('images', issuerId), list('overlays', issuerId)]);
    setImages(pictures);
    onImages(pictures ?? []);
    onOverlays(overlays ?? []);
  };

  return (
    <div class="stack-tight">
      <form
        class="row"
        onSubmit={(event) => {
          event.preventDefault();
          void loadIssuers();
        }}
      >
        <input
          class="input code"
          type="password"
          aria-label="Admin key"
          placeholder="Admin key"
          value={adminKey}
          autocomplete="off"
          onInput={(event) => {
            setAdminKey(event.currentTarget.value.trim());
          }}
        />
        <button type="submit" class="button" disabled={adminKey === ''}>
          List
        </button>
      </form>
      <p class="hint">Kept until you leave this page, and sent to this service alone.</p>
      {trouble !== null && (
        <p class="note note-bad" role="alert">
          {trouble}
        </p>
      )}
      {issuers !== null && (
        <div class="columns">
          <Field label="Issuers" help="The first hundred.">
            {(control) => (
              <RowSelect
                {...control}
                rows={issuers}
                value={connection.issuerId}
                onValue={(issuerId) => void chooseIssuer(issuerId)}
              />
            )}
          </Field>
          {images !== null && (
            <Field label="Images" help="The first hundred of this issuer.">
              {(control) => (
                <RowSelect
                  {...control}
                  rows={images}
                  value={connection.imageId}
                  onValue={(imageId) => {
                    onPick({ imageId });
                  }}
                />
              )}
            </Field>
          )}
        </div>
      )}
    </div>
  );
}

interface RowSelectProps {
  readonly id: string;
  readonly describedBy: string | undefined;
  readonly rows: readonly Row[];
  readonly value: string;
  readonly onValue: (id: string) => void;
}

function RowSelect({ id, describedBy, rows, value, onValue }: RowSelectProps): JSX.Element {
  return (
    <select
      id={id}
      class="input"
      aria-describedby={describedBy}
      value={rows.some((row) => row.id === value) ? value : ''}
      onInput={(event) => {
        onValue(event.currentTarget.value);
      }}
    >
      <option value="">{rows.length === 0 ? 'none' : 'choose…'}</option>
      {rows.map((row) => (
        <option key={row.id} value={row.id}>
          {row.name ?? row.public_id ?? row.id}
        </option>
      ))}
    </select>
  );
}
