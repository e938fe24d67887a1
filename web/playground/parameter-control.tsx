import type { JSX } from 'preact';
import { useRef, useState } from 'preact/hooks';
import type { ParameterEntry } from '../../src/pages/playground/vocabulary.document.js';
import { type TextLayer, text, type Value } from './composition.js';
import { Field } from '../design/field.js';
import { FormattedText } from '../design/formatted-text.js';
import { type ControlProps, SelectControl, ShapeControl, TextControl } from './controls.js';
import { useOffer } from './vocabulary-context.js';

interface ParameterControlProps extends ControlProps {
  readonly name: string;
  /** Undefined for a key that the vocabulary does not have. */
  readonly parameter: ParameterEntry | undefined;
  readonly value: Value;
  readonly onValue: (value: Value) => void;
}

/** A new parameter's empty value. */
export function emptyValue(key: string): Value {
  return key === 'flags' ? { kind: 'flags', flags: [] } : text('');
}

/** A new text layer, with text that is visible at once. */
export const newTextLayer = (): Value => ({
  kind: 'text_layer',
  members: { text: 'Jane Doe', font_family: 'Arial', font_size: '48', font_weight: 'bold' },
});

/** The control of one parameter, by its kind in the table. */
export function ParameterControl(props: ParameterControlProps): JSX.Element {
  const { name, parameter, value, onValue, ...control } = props;
  switch (value.kind) {
    case 'flags':
      return <FlagsControl {...control} flags={value.flags} onValue={onValue} />;
    case 'text_layer':
      return <TextLayerControl {...control} members={value.members} onValue={onValue} />;
    case 'json':
      return (
        <output id={control.id} class="note code" tabIndex={-1} aria-describedby={control.describedBy}>
          {JSON.stringify(value.json)}
        </output>
      );
    case 'text': {
      const common = {
        ...control,
        value: value.text,
        onValue: (typed: string) => {
          onValue(text(typed));
        },
      };
      if (parameter?.kind === 'layer' || parameter?.kind === 'asset') return <OverlayControl {...common} />;
      if (parameter?.key === 'effect') return <EffectControl {...common} />;
      return <ShapeControl {...common} name={name} shape={parameter?.shape ?? null} />;
    }
  }
}

interface ScalarProps extends ControlProps {
  readonly value: string;
  readonly onValue: (value: string) => void;
}

function OverlayControl(props: ScalarProps): JSX.Element {
  const { overlays } = useOffer();
  const suggestions = overlays.map(({ id, public_id }) => ({ value: id, label: public_id ?? id }));
  return <TextControl {...props} placeholder="Id of an overlay" suggestions={suggestions} />;
}

/** An effect's name, and its arguments after the colon. */
function EffectControl({ value, onValue, ...control }: ScalarProps): JSX.Element {
  const { effects } = useOffer().vocabulary;
  const colon = value.indexOf(':');
  const name = colon < 0 ? value : value.slice(0, colon);
  const argument = colon < 0 ? '' : value.slice(colon + 1);
  const effect = effects.find((each) => each.name === name);
  const takesSome = effect !== undefined && !effect.allowed.endsWith('with nothing');
  return (
    <div class="stack-tight">
      <SelectControl {...control} words={effects.map((each) => each.name)} value={name} onValue={onValue} />
      {takesSome && (
        <Field label={`Argument of ${name}`} help={effect.allowed}>
          {({ id, describedBy }) => (
            <ShapeControl
              id={id}
              describedBy={describedBy}
              name={`Argument of ${name}`}
              shape={effect.argument}
              value={argument}
              onValue={(typed) => {
                onValue(typed === '' ? name : `${name}:${typed}`);
              }}
            />
          )}
        </Field>
      )}
    </div>
  );
}

interface FlagsControlProps extends ControlProps {
  readonly flags: readonly string[];
  readonly onValue: (value: Value) => void;
}

/** Flags, each with its description. A button adds one: in a closed list, arrow keys only select. */
function FlagsControl({ flags, onValue, id, describedBy, invalid = false }: FlagsControlProps): JSX.Element {
  const known = useOffer().vocabulary.flags;
  const list = useRef<HTMLSelectElement>(null);
  const [chosen, choose] = useState('');
  // The pressed button may disappear or be disabled: the list gets the focus.
  const set = (changed: readonly string[]): void => {
    list.current?.focus();
    choose('');
    onValue({ kind: 'flags', flags: changed });
  };
  const options = (scope: 'layer' | 'picture'): readonly JSX.Element[] =>
    known
      .filter((flag) => flag.scope === scope && !flags.includes(flag.name))
      .map(({ name, help }) => (
        <option key={name} value={name}>
          {name}: {help}
        </option>
      ));
  return (
    <div class="stack-tight">
      {flags.length > 0 && (
        <ul class="stack-tight" aria-label="Flags of this step">
          {flags.map((flag) => {
            const [name] = flag.split(':', 1);
            return (
              <li key={flag} class="flag">
                <span class="chip code">
                  {flag}
                  <button
                    type="button"
                    class="chip-remove"
                    aria-label={`Remove flag ${flag}`}
                    onClick={() => {
                      set(flags.filter((each) => each !== flag));
                    }}
                  >
                    ×
                  </button>
                </span>
                <span class="hint">
                  <FormattedText text={known.find((each) => each.name === name)?.help ?? ''} />
                </span>
              </li>
            );
          })}
        </ul>
      )}
      <div class="row">
        <select
          id={id}
          ref={list}
          class="input"
          value={chosen}
          aria-describedby={describedBy}
          aria-invalid={invalid}
          onInput={(event) => {
            choose(event.currentTarget.value);
          }}
        >
          <option value="">A flag…</option>
          <optgroup label="On a layer">{options('layer')}</optgroup>
          <optgroup label="On the image">{options('picture')}</optgroup>
        </select>
        <button
          type="button"
          class="button"
          disabled={chosen === ''}
          onClick={() => {
            set([...flags, chosen]);
          }}
        >
          Add<span class="unseen"> the flag</span>
        </button>
      </div>
    </div>
  );
}

interface TextLayerControlProps extends ControlProps {
  readonly members: TextLayer;
  readonly onValue: (value: Value) => void;
}

/** Members that are always shown; the others are collapsed until they are set. */
const FIRST_MEMBERS = ['font_family', 'font_size', 'font_weight'];
/** Other names of a style, which exclude the font: supported in pasted tokens, but not offered. */
const RARE_MEMBERS = ['text_style', 'public_id', 'resource_type'];

function TextLayerControl(props: TextLayerControlProps): JSX.Element {
  const { members, onValue, id, describedBy, invalid = false } = props;
  const { text_layer: entries, longest_text: longest } = useOffer().vocabulary;
  const set = (key: string, value: string): void => {
    onValue({ kind: 'text_layer', members: { ...members, [key]: value } });
  };
  const member = (key: string): JSX.Element => {
    const entry = entries.find((each) => each.key === key);
    return (
      <Field key={key} label={key} {...(entry === undefined ? {} : { help: entry.allowed })}>
        {(control) => (
          <ShapeControl
            {...control}
            name={key}
            shape={entry?.shape ?? null}
            value={members[key] ?? ''}
            onValue={(value) => {
              set(key, value);
            }}
          />
        )}
      </Field>
    );
  };
  const others = entries
    .map(({ key }) => key)
    .filter((key) => !FIRST_MEMBERS.includes(key) && (!RARE_MEMBERS.includes(key) || key in members));
  return (
    <div class="stack-tight">
      <textarea
        id={id}
        class="input"
        rows={2}
        maxLength={longest}
        value={members['text'] ?? ''}
        aria-describedby={describedBy}
        aria-invalid={invalid}
        placeholder="The text"
        onInput={(event) => {
          set('text', event.currentTarget.value);
        }}
      />
      <div class="members">{FIRST_MEMBERS.map(member)}</div>
      <details>
        <summary>More text options</summary>
        <div class="members">{others.map(member)}</div>
      </details>
    </div>
  );
}
