import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { FormattedText } from '../design/formatted-text.js';
import { type Entry, hasLayer, type Step, type Value } from './composition.js';
import { emptyValue, ParameterControl } from './parameter-control.js';
import type { ExplainedStep, Problem } from './service.js';
import { useFocusAfter } from './use-focus-after.js';
import { useOffer } from './vocabulary-context.js';

const OTHER_KEY = 'other key…';

interface StepCardProps {
  readonly step: Step;
  /** From 1. */
  readonly number: number;
  /** The service's explanations of it: several if it uses a preset. */
  readonly explained: readonly ExplainedStep[];
  /** The refusal, if it concerns this step. */
  readonly problem: Problem | null;
  readonly onChange: (step: Step) => void;
}

/** The parameters of a step: each with its control, its error and why it has no effect. */
export function StepCard({ step, number, explained, problem, onChange }: StepCardProps): JSX.Element {
  const focus = useFocusAfter(step.entries);
  // By position: a pasted token's key may contain anything, and an id no spaces.
  const controlId = (index: number): string => `step-${step.id}-control-${index}`;
  const adderId = `step-${step.id}-add`;
  const setEntries = (entries: readonly Entry[]): void => {
    onChange({ ...step, entries });
  };
  const set = (key: string, value: Value): void => {
    setEntries(step.entries.map((entry) => (entry.key === key ? { key, value } : entry)));
  };
  const add = (key: string): void => {
    focus(controlId(step.entries.length));
    setEntries([...step.entries, { key, value: emptyValue(key) }]);
  };
  const remove = (index: number): void => {
    const left = step.entries.toSpliced(index, 1);
    focus(left.length === 0 ? adderId : controlId(Math.min(index, left.length - 1)));
    setEntries(left);
  };
  const component = explained.map((each) => each.component).filter((each) => each !== '');
  const keys = step.entries.map(({ key }) => key);
  // If a refusal names a key that the step lacks, it is shown at the step.
  const atStep = problem !== null && (problem.key === undefined || !keys.includes(problem.key));
  return (
    <div class="stack">
      {component.length > 0 && <p class="component code">{component.join('/')}</p>}
      {atStep && (
        <p class="note note-bad">
          <FormattedText text={problem.detail} />
        </p>
      )}
      <div class="parameters">
        {step.entries.map(({ key, value }, index) => (
          <Parameter
            key={key}
            id={controlId(index)}
            name={key}
            number={number}
            value={value}
            ignored={explained.flatMap((each) => each.ignored.filter((ignored) => ignored.key === key))}
            problem={problem?.key === key ? problem : null}
            onValue={(changed) => {
              set(key, changed);
            }}
            onRemove={() => {
              remove(index);
            }}
          />
        ))}
      </div>
      <AddParameter id={adderId} number={number} taken={keys} onAdd={add} />
    </div>
  );
}

/** A short title of a step. */
export function titleOf(step: Step): string {
  if (!hasLayer(step)) return 'Change the image';
  const layer = step.entries.find(({ key }) => key === 'overlay' || key === 'underlay');
  return layer?.value.kind === 'text_layer' ? 'Text layer' : 'Image layer';
}

interface ParameterProps {
  readonly id: string;
  readonly name: string;
  readonly number: number;
  readonly value: Value;
  readonly ignored: readonly { readonly reason: string }[];
  readonly problem: Problem | null;
  readonly onValue: (value: Value) => void;
  readonly onRemove: () => void;
}

function Parameter(props: ParameterProps): JSX.Element {
  const { id, name, number, value, ignored, problem, onValue, onRemove } = props;
  const parameter = useOffer().vocabulary.parameters.find(({ key }) => key === name);
  return (
    <div
      class={value.kind === 'text_layer' || name === 'effect' ? 'field parameter wide' : 'field parameter'}
    >
      <div class="parameter-head">
        <label class="label code" for={id}>
          {name}
        </label>
        <button
          type="button"
          class="icon-button"
          aria-label={`Remove ${name} from step ${number}`}
          onClick={onRemove}
        >
          ×
        </button>
      </div>
      <ParameterControl
        id={id}
        describedBy={`${id}-help`}
        invalid={problem !== null}
        name={name}
        parameter={parameter}
        value={value}
        onValue={onValue}
      />
      <div id={`${id}-help`} class="stack-tight">
        {problem !== null && (
          <p class="note note-bad">
            Refused. Allowed: <FormattedText text={problem.allowed ?? problem.detail} />
          </p>
        )}
        {ignored.map(({ reason }) => (
          <p key={reason} class="note note-warn">
            Ignored: <FormattedText text={reason} />
          </p>
        ))}
        {parameter !== undefined && (
          <p class="hint">
            <FormattedText text={parameter.help} />
          </p>
        )}
      </div>
    </div>
  );
}

interface AddParameterProps {
  /** Of the list. */
  readonly id: string;
  readonly number: number;
  readonly taken: readonly string[];
  readonly onAdd: (key: string) => void;
}

/** Picks a parameter that the step lacks. A button adds it: in a closed list, arrow keys only select. */
function AddParameter({ id, number, taken, onAdd }: AddParameterProps): JSX.Element {
  const { parameters } = useOffer().vocabulary;
  const [chosen, choose] = useState('');
  const [other, setOther] = useState('');
  const key = chosen === OTHER_KEY ? other.trim() : chosen;
  const addable = key !== '' && !taken.includes(key);
  return (
    <form
      class="row wrap"
      onSubmit={(event) => {
        event.preventDefault();
        if (!addable) return;
        choose('');
        setOther('');
        onAdd(key);
      }}
    >
      <select
        id={id}
        class="input picker"
        aria-label={`Parameter to add to step ${number}`}
        value={chosen}
        onInput={(event) => {
          choose(event.currentTarget.value);
        }}
      >
        <option value="">A parameter…</option>
        {parameters
          .filter((parameter) => !taken.includes(parameter.key))
          .map(({ key: each, help }) => (
            <option key={each} value={each}>
              {each}: {help}
            </option>
          ))}
        <option value={OTHER_KEY}>{OTHER_KEY}</option>
      </select>
      {chosen === OTHER_KEY && (
        <input
          class="input picker code"
          aria-label={`Key to add to step ${number}`}
          placeholder="another key"
          value={other}
          autocomplete="off"
          autocapitalize="off"
          spellcheck={false}
          onInput={(event) => {
            setOther(event.currentTarget.value);
          }}
        />
      )}
      <button type="submit" class="button" disabled={!addable}>
        Add<span class="unseen"> to step {number}</span>
      </button>
    </form>
  );
}
