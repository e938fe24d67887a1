import type { ComponentChildren, JSX } from 'preact';
import { useEffect, useId, useRef, useState } from 'preact/hooks';
import { CopyButton } from '../design/copy-button.js';
import { Field } from '../design/field.js';
import { FormattedText } from '../design/formatted-text.js';
import { adminPath, type ServiceResponse, type Issuer, type Page, type Problem } from './service.js';
import { useRights } from './session-context.js';
import { type Paged, useMutation, useQuery } from './use-service.js';

const MOMENT = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeStyle: 'short' });

/** An instant in the reader's time zone. */
export function Timestamp({
  at,
  none = 'never',
}: {
  readonly at: string | null;
  readonly none?: string;
}): JSX.Element {
  if (at === null) return <span class="soft">{none}</span>;
  return (
    <time dateTime={at} title={at}>
      {MOMENT.format(new Date(at))}
    </time>
  );
}

/** A refusal, announced by screen readers. */
export function ProblemNote({ problem }: { readonly problem: Problem | null }): JSX.Element | null {
  if (problem === null) return null;
  return (
    <div class="note note-bad" role="alert" data-code={problem.code}>
      <p>
        <FormattedText text={problem.detail} />
      </p>
      {problem.errors !== undefined && (
        <ul>
          {problem.errors.map(({ key, detail }) => (
            <li key={`${key} ${detail}`}>
              <span class="code">{key}</span> {detail}
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}

/** A row's full id, with a button that copies it. */
export function Id({ id, name }: { readonly id: string; readonly name: string }): JSX.Element {
  return (
    <span class="id">
      <span class="code">{id}</span>
      <CopyButton text={id} name={name} />
    </span>
  );
}

export function Facts({
  facts,
}: {
  readonly facts: readonly (readonly [name: string, value: ComponentChildren])[];
}): JSX.Element {
  return (
    <dl class="facts">
      {facts.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

interface InputProps {
  readonly label: string;
  readonly help?: string;
  readonly value: string;
  readonly onValue: (value: string) => void;
  readonly type?: 'text' | 'password' | 'datetime-local' | 'number';
  readonly code?: boolean;
  readonly required?: boolean;
  readonly placeholder?: string;
  readonly suggestions?: readonly string[];
}

/** A labelled field of text. */
export function Input(props: InputProps): JSX.Element {
  const { label, help, value, onValue, type = 'text', code, required, placeholder, suggestions } = props;
  return (
    <Field label={label} {...(help === undefined ? {} : { help })}>
      {({ id, describedBy }) => (
        <>
          <input
            id={id}
            class={code === true ? 'input code' : 'input'}
            {...({ type } as object)}
            step={type === 'datetime-local' ? 1 : undefined}
            value={value}
            required={required}
            placeholder={placeholder}
            aria-describedby={describedBy}
            autocomplete="off"
            autocapitalize="off"
            spellcheck={false}
            list={suggestions === undefined ? undefined : `${id}-list`}
            onInput={(event) => {
              onValue(event.currentTarget.value);
            }}
          />
          {suggestions !== undefined && (
            <datalist id={`${id}-list`}>
              {suggestions.map((each) => (
                <option key={each} value={each} />
              ))}
            </datalist>
          )}
        </>
      )}
    </Field>
  );
}

interface ChoiceProps {
  readonly label: string;
  readonly help?: string;
  readonly value: string;
  readonly onValue: (value: string) => void;
  readonly options: readonly (readonly [value: string, name: string])[];
  readonly required?: boolean;
}

/** A labelled drop-down list. */
export function Choice({ label, help, value, onValue, options, required }: ChoiceProps): JSX.Element {
  return (
    <Field label={label} {...(help === undefined ? {} : { help })}>
      {({ id, describedBy }) => (
        <select
          id={id}
          class="input"
          value={value}
          required={required}
          aria-describedby={describedBy}
          onInput={(event) => {
            onValue(event.currentTarget.value);
          }}
        >
          {options.map(([each, name]) => (
            <option key={each} value={each}>
              {name}
            </option>
          ))}
        </select>
      )}
    </Field>
  );
}

interface IssuerChoiceProps {
  readonly value: string;
  readonly onValue: (value: string) => void;
  /** The label of no issuer. */
  readonly none: string;
  readonly required?: boolean;
}

/** Picks an issuer: from a list, or by id if there are too many. */
export function IssuerChoice({ value, onValue, none, required }: IssuerChoiceProps): JSX.Element | null {
  const { issuerId } = useRights();
  const { value: page } = useQuery<Page<Issuer>>(adminPath('issuers', { limit: '100' }));
  if (issuerId !== null) return null;
  const more = page?.next_cursor != null;
  const needed = required === undefined ? {} : { required };
  return more ? (
    <Input label="Issuer" help="Its id." code value={value} onValue={onValue} {...needed} />
  ) : (
    <Choice
      label="Issuer"
      value={value}
      onValue={onValue}
      {...needed}
      options={[
        ['', none],
        ...(value !== '' && page?.items.every(({ id }) => id !== value) === true
          ? [[value, value] as const]
          : []),
        ...(page?.items ?? []).map(({ id, name }) => [id, name] as const),
      ]}
    />
  );
}

/** The navigation of a list's pages. */
export function Pager<T>({
  list,
  name,
}: {
  readonly list: Paged<T>;
  readonly name: string;
}): JSX.Element | null {
  const { previous, next, number, busy } = list;
  if (number === 1 && next === null && !busy) return null;
  return (
    <nav class="row pager" aria-label={`Pages of ${name}`}>
      <button type="button" class="button" disabled={previous === null} onClick={() => previous?.()}>
        Previous
      </button>
      <span class="hint">Page {number}</span>
      <button type="button" class="button" disabled={next === null} onClick={() => next?.()}>
        Next
      </button>
    </nav>
  );
}

interface DialogProps {
  readonly title: string;
  readonly onClose: () => void;
  /** Whether Escape closes it. */
  readonly light?: boolean;
  readonly children: ComponentChildren;
}

/** A modal dialog, open while it is mounted. */
export function Dialog({ title, onClose, light = true, children }: DialogProps): JSX.Element {
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    const shown = dialog.current;
    const opener = document.activeElement;
    shown?.showModal();
    return () => {
      shown?.close();
      if (opener instanceof HTMLElement) opener.focus();
    };
  }, []);
  return (
    <dialog
      ref={dialog}
      class="card dialog"
      aria-labelledby={id}
      onCancel={(event) => {
        event.preventDefault();
        if (light) onClose();
      }}
    >
      <div class="stack">
        <h2 id={id}>{title}</h2>
        {children}
      </div>
    </dialog>
  );
}

interface ConfirmProps {
  readonly label: string;
  /** The target of the action, for screen readers. */
  readonly of: string;
  readonly question: string;
  readonly consequence: string;
  readonly act: () => Promise<ServiceResponse<unknown>>;
  readonly onDone: () => void;
}

/** A button for an irreversible action, which asks for confirmation. */
export function ConfirmButton({ label, of, question, consequence, act, onDone }: ConfirmProps): JSX.Element {
  const [open, setOpen] = useState(false);
  const { busy, problem, run } = useMutation();
  const button = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    const section = button.current?.closest('section');
    return () => {
      // The button may be removed with its target: the focus then returns here.
      queueMicrotask(() => {
        if (!section || document.activeElement !== document.body) return;
        section.tabIndex = -1;
        section.focus();
      });
    };
  }, []);
  return (
    <>
      <button
        ref={button}
        type="button"
        class="button button-small button-bad"
        onClick={() => {
          setOpen(true);
        }}
      >
        {label}
        <span class="unseen"> {of}</span>
      </button>
      {open && (
        <Dialog
          title={question}
          onClose={() => {
            setOpen(false);
          }}
        >
          <p>{consequence}</p>
          <ProblemNote problem={problem} />
          <div class="row end">
            <button
              type="button"
              class="button"
              onClick={() => {
                setOpen(false);
              }}
            >
              Cancel
            </button>
            <button
              type="button"
              class="button button-danger"
              aria-disabled={busy}
              onClick={() => {
                void run(act).then((result) => {
                  if (result === null) return;
                  setOpen(false);
                  onDone();
                });
              }}
            >
              {label}
            </button>
          </div>
        </Dialog>
      )}
    </>
  );
}

/** An instant in `datetime-local` form, in the reader's time zone. */
function toLocal(at: Date): string {
  return new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 19);
}

/** A `datetime-local` value as RFC 3339; null if empty. */
export const fromLocal = (local: string): string | null =>
  local === '' ? null : new Date(local).toISOString();

interface MomentFormProps {
  readonly label: string;
  readonly help: string;
  readonly value: string | null;
  readonly save: (at: string | null) => Promise<ServiceResponse<unknown>>;
  readonly onDone: () => void;
}

/** Sets or clears an instant. */
export function TimestampForm({ label, help, value, save, onDone }: MomentFormProps): JSX.Element {
  const [typed, setTyped] = useState(value === null ? '' : toLocal(new Date(value)));
  const { busy, problem, run } = useMutation();
  return (
    <form
      class="stack-tight"
      onSubmit={(event) => {
        event.preventDefault();
        void run(() => save(fromLocal(typed))).then((result) => {
          if (result !== null) onDone();
        });
      }}
    >
      <Input label={label} help={help} type="datetime-local" value={typed} onValue={setTyped} />
      <div class="row wrap">
        <button
          type="button"
          class="button button-small"
          onClick={() => {
            setTyped(toLocal(new Date()));
          }}
        >
          Now
        </button>
        <button
          type="button"
          class="button button-small"
          onClick={() => {
            setTyped('');
          }}
        >
          Clear
        </button>
        <button class="button button-small" aria-disabled={busy}>
          Save<span class="unseen"> “{label}”</span>
        </button>
      </div>
      <ProblemNote problem={problem} />
    </form>
  );
}
