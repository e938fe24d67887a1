import type { JSX } from 'preact';
import type { Shape } from '../../src/transformations/grammar.js';
import { hintsOf, rangesOf, sliderOf } from './shapes.js';

/** Maximum words of a drop-down list; a longer list suggests words for typed letters. */
const MAX_SELECT_OPTIONS = 32;

/** Connects a control to its label, help and error. */
export interface ControlProps {
  readonly id: string;
  readonly describedBy?: string | undefined;
  readonly invalid?: boolean;
}

interface TextControlProps extends ControlProps {
  readonly value: string;
  readonly onValue: (value: string) => void;
  readonly placeholder?: string;
  readonly suggestions?: readonly (string | { readonly value: string; readonly label: string })[];
}

/** A text field with suggestions. */
export function TextControl(props: TextControlProps): JSX.Element {
  const { id, describedBy, invalid = false, value, onValue, placeholder, suggestions = [] } = props;
  const list = `${id}-list`;
  return (
    <>
      <input
        id={id}
        class="input code"
        value={value}
        onInput={(event) => {
          onValue(event.currentTarget.value);
        }}
        placeholder={placeholder}
        aria-describedby={describedBy}
        aria-invalid={invalid}
        autocomplete="off"
        autocapitalize="off"
        spellcheck={false}
        list={suggestions.length > 0 ? list : undefined}
      />
      {suggestions.length > 0 && (
        <datalist id={list}>
          {suggestions.map((each) => {
            const option = typeof each === 'string' ? { value: each, label: undefined } : each;
            return <option key={option.value} value={option.value} label={option.label} />;
          })}
        </datalist>
      )}
    </>
  );
}

interface ShapeControlProps extends ControlProps {
  readonly shape: Shape | null;
  readonly value: string;
  readonly onValue: (value: string) => void;
  /** The slider's name for screen readers. */
  readonly name: string;
}

/** The control for a grammar: a list of words, a slider beside a field, or a field. */
export function ShapeControl({ shape, name, value, onValue, ...control }: ShapeControlProps): JSX.Element {
  const hints = hintsOf(shape);
  if (hints.closed && hints.suggestions.length <= MAX_SELECT_OPTIONS) {
    return <SelectControl {...control} words={hints.suggestions} value={value} onValue={onValue} />;
  }
  const slider = sliderOf(hints);
  const field = (
    <TextControl
      {...control}
      value={value}
      onValue={onValue}
      placeholder={rangesOf(hints)}
      suggestions={hints.suggestions}
    />
  );
  if (slider === null) return field;
  const [min, max] = slider;
  return (
    <div class="with-slider">
      {field}
      <input
        type="range"
        aria-label={`${name}, slider`}
        min={min}
        max={max}
        value={/^-?\d+$/.test(value) ? value : String(Math.max(min, 0))}
        onInput={(event) => {
          onValue(event.currentTarget.value);
        }}
      />
    </div>
  );
}

interface SelectControlProps extends ControlProps {
  readonly words: readonly string[];
  readonly value: string;
  readonly onValue: (value: string) => void;
  readonly empty?: string;
}

/** A drop-down list. Other values are listed too: the service reports whether they are valid. */
export function SelectControl(props: SelectControlProps): JSX.Element {
  const { id, describedBy, invalid = false, words, value, onValue, empty = 'not set' } = props;
  const all = value === '' || words.includes(value) ? words : [value, ...words];
  return (
    <select
      id={id}
      class="input"
      value={value}
      onInput={(event) => {
        onValue(event.currentTarget.value);
      }}
      aria-describedby={describedBy}
      aria-invalid={invalid}
    >
      <option value="">{empty}</option>
      {all.map((word) => (
        <option key={word} value={word}>
          {word}
        </option>
      ))}
    </select>
  );
}

interface TabsProps<Name extends string> {
  readonly label: string;
  readonly names: readonly Name[];
  readonly chosen: Name;
  readonly onChoose: (name: Name) => void;
  /** The id of the tabs' panel. */
  readonly panel: string;
}

/** The id of a tab, which labels its panel. */
export const tabId = (panel: string, names: readonly string[], chosen: string): string =>
  `${panel}-tab-${names.indexOf(chosen)}`;

/** Tabs by the ARIA pattern: arrow keys move, and only one tab is in the tab order. */
export function Tabs<Name extends string>(props: TabsProps<Name>): JSX.Element {
  const { label, names, chosen, onChoose, panel } = props;
  const steps: Readonly<Record<string, number>> = { ArrowLeft: -1, ArrowRight: 1 };
  return (
    <div
      role="tablist"
      aria-label={label}
      class="tabs"
      onKeyDown={(event) => {
        const step = steps[event.key];
        const next = step && names[(names.indexOf(chosen) + step + names.length) % names.length];
        if (!next) return;
        event.preventDefault();
        onChoose(next);
        document.getElementById(tabId(panel, names, next))?.focus();
      }}
    >
      {names.map((name) => (
        <button
          key={name}
          id={tabId(panel, names, name)}
          type="button"
          role="tab"
          class="tab"
          aria-selected={name === chosen}
          aria-controls={panel}
          tabIndex={name === chosen ? 0 : -1}
          onClick={() => {
            onChoose(name);
          }}
        >
          {name}
        </button>
      ))}
    </div>
  );
}
