import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { Field } from '../design/field.js';
import { FormattedText } from '../design/formatted-text.js';
import { TextControl } from './controls.js';
import { type ServiceResponse, listRows, type Page, type Row } from './service.js';
import { ALGORITHMS, type Algorithm } from './token.js';

/** The issuer and the image. The secret is stored only in this object and in its field. */
export interface Connection {
  readonly issuerId: string;
  readonly secret: string;
  readonly algorithm: Algorithm;
  readonly imageId: string;
}

/** The fragment of a link to the playground, which browsers do not send. */
export interface LinkParameters {
  readonly connection: Connection;
  readonly overlays: readonly Row[];
}

/** Reads the fragment, and removes it from the address and the history. */
export function takeFragment(): LinkParameters {
  const parameters = new URLSearchParams(window.location.hash.slice(1));
  if (window.location.hash !== '') window.history.replaceState(null, '', window.location.pathname);
  const algorithm = ALGORITHMS.find((each) => each === parameters.get('algorithm')) ?? 'HS256';
  return {
    connection: {
      issuerId: parameters.get('issuer') ?? '',
      secret: parameters.get('secret') ?? '',
      algorithm,
      imageId: parameters.get('image') ?? '',
    },
    overlays: parameters.getAll('overlay').map((id) => ({ id, public_id: 'from the link' })),
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
        <Field label="Issuer" help="Its id, or the dsn of its key.">
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
        <Field label="Secret" help="Stays in this page: it is neither stored nor sent.">
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
          issuers={issuers}
          images={images}
          onPick={set}
          onIssuers={setIssuers}
          onImages={setImages}
          onOverlays={onOverlays}
        />
      </details>
    </div>
  );
}

/** `http://ISSUER:SECRET@host/?kid=…`, as shown for a new key. */
function readDsn(typed: string): Partial<Connection> | null {
  if (!URL.canParse(typed)) return null;
  const { username, password } = new URL(typed);
  return username === '' || password === ''
    ? null
    : { issuerId: username, secret: decodeURIComponent(password) };
}

interface PickerProps {
  readonly connection: Connection;
  readonly issuers: readonly Row[];
  readonly images: readonly Row[];
  readonly onPick: (members: Partial<Connection>) => void;
  readonly onIssuers: (rows: readonly Row[]) => void;
  readonly onImages: (rows: readonly Row[]) => void;
  readonly onOverlays: (rows: readonly Row[]) => void;
}

/** Lists of the admin API, for users with an admin key. The key is kept in memory only. */
function Picker(props: PickerProps): JSX.Element {
  const { connection, issuers, images, onPick, onIssuers, onImages, onOverlays } = props;
  const { issuerId, imageId } = connection;
  const [adminKey, setAdminKey] = useState('');
  /** The key that was sent, and how often: the lists are loaded again each time. */
  const [sent, setSent] = useState({ key: '', times: 0 });
  return (
    <div class="stack-tight">
      <form
        class="row"
        onSubmit={(event) => {
          event.preventDefault();
          setSent({ key: adminKey, times: sent.times + 1 });
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
      <p class="hint">Kept until you leave this page, and sent only to this service.</p>
      {sent.times > 0 && (
        <div class="columns" key={sent.times}>
          <RowPicker
            label="Issuers"
            list={{ adminKey: sent.key, of: 'issuers', filter: {} }}
            rows={issuers}
            onRows={onIssuers}
            value={issuerId}
            onValue={(id) => {
              onPick({ issuerId: id });
            }}
          />
          {issuers.some(({ id }) => id === issuerId) && (
            <IssuerLists
              key={issuerId}
              adminKey={sent.key}
              issuerId={issuerId}
              images={images}
              onImages={onImages}
              onOverlays={onOverlays}
              imageId={imageId}
              onPick={onPick}
            />
          )}
        </div>
      )}
    </div>
  );
}

interface IssuerListsProps {
  readonly adminKey: string;
  readonly issuerId: string;
  readonly images: readonly Row[];
  readonly onImages: (rows: readonly Row[]) => void;
  readonly onOverlays: (rows: readonly Row[]) => void;
  readonly imageId: string;
  readonly onPick: (members: Partial<Connection>) => void;
}

/** An issuer's images to pick from; its overlays are for the steps. */
function IssuerLists(props: IssuerListsProps): JSX.Element {
  const { adminKey, issuerId, images, onImages, onOverlays, imageId, onPick } = props;
  const filter = { issuer_id: issuerId };
  useRows({ adminKey, of: 'overlays', filter }, { named: '', cursor: null }, onOverlays);
  // While an issuer's images are loading, another issuer's must not be offered.
  useEffect(
    () => () => {
      onImages([]);
    },
    [],
  );
  return (
    <RowPicker
      label="Images"
      list={{ adminKey, of: 'images', filter }}
      rows={images}
      onRows={onImages}
      value={imageId}
      onValue={(id) => {
        onPick({ imageId: id });
      }}
    />
  );
}

interface AdminList {
  readonly adminKey: string;
  readonly of: 'issuers' | 'images' | 'overlays';
  readonly filter: Readonly<Record<string, string>>;
}

/** A part of a list: rows with exactly this name, or all if it is empty; from the cursor on. */
interface Part {
  readonly named: string;
  readonly cursor: string | null;
}

/** Loads a part of a list whenever another one is requested. */
function useRows(
  list: AdminList,
  part: Part,
  onRows: (rows: readonly Row[]) => void,
): ServiceResponse<Page> | null {
  const [response, setAnswer] = useState<ServiceResponse<Page> | null>(null);
  useEffect(() => {
    const abort = new AbortController();
    const query = {
      ...list.filter,
      ...(part.named === '' ? {} : { [list.of === 'issuers' ? 'name' : 'public_id']: part.named }),
      ...(part.cursor === null ? {} : { cursor: part.cursor }),
    };
    listRows(list.adminKey, list.of, query, abort.signal).then(
      (answered) => {
        if (abort.signal.aborted) return;
        setAnswer(answered);
        if ('ok' in answered) onRows(answered.ok.items);
      },
      () => undefined,
    );
    return () => {
      abort.abort();
    };
  }, [part.named, part.cursor]);
  return response;
}

interface RowPickerProps {
  readonly label: string;
  readonly list: AdminList;
  readonly rows: readonly Row[];
  readonly onRows: (rows: readonly Row[]) => void;
  readonly value: string;
  readonly onValue: (id: string) => void;
}

/** A list to pick from, a hundred rows at a time; in a longer one, rows can be found by name. */
function RowPicker({ label, list, rows, onRows, value, onValue }: RowPickerProps): JSX.Element {
  const select = useRef<HTMLSelectElement>(null);
  const [typed, setTyped] = useState('');
  const [part, setPart] = useState<Part>({ named: '', cursor: null });
  const response = useRows(list, part, (items) => {
    onRows(part.cursor === null ? items : [...rows, ...items]);
  });
  const next = response !== null && 'ok' in response ? response.ok.next_cursor : null;
  const isLong = next !== null || part.cursor !== null || part.named !== '';
  return (
    <div class="stack-tight">
      <Field label={label} {...(next === null ? {} : { help: `The first ${rows.length}.` })}>
        {({ id, describedBy }) => (
          <select
            id={id}
            ref={select}
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
        )}
      </Field>
      {isLong && (
        <form
          class="row"
          onSubmit={(event) => {
            event.preventDefault();
            setPart({ named: typed.trim(), cursor: null });
          }}
        >
          <input
            class="input code"
            aria-label={`${label}: a name (exact)`}
            placeholder="A name (exact)"
            value={typed}
            autocomplete="off"
            autocapitalize="off"
            spellcheck={false}
            onInput={(event) => {
              setTyped(event.currentTarget.value);
            }}
          />
          <button type="submit" class="button">
            Find<span class="unseen"> in {label}</span>
          </button>
          {next !== null && (
            <button
              type="button"
              class="button"
              onClick={() => {
                setPart({ ...part, cursor: next });
                // This button disappears with the last page.
                select.current?.focus();
              }}
            >
              More<span class="unseen"> {label}</span>
            </button>
          )}
        </form>
      )}
      {response !== null && 'problem' in response && (
        <p class="note note-bad" role="alert">
          <FormattedText text={response.problem.detail} />
        </p>
      )}
    </div>
  );
}
