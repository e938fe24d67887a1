import type { JSX } from 'preact';
import { useId, useState } from 'preact/hooks';
import { type Entry, hasLayer, type Step, type Value } from './composition.js';
import { emptyValue, ParameterControl } from './parameter-control.js';
import type { ExplainedStep, Problem } from './service.js';
import { useOffer } from './vocabulary-context.js';

const OTHER_KEY = 'other key…';

interface StepCardProps {
  readonly step: Step;
  /** From 1. */
  readonly number: number;
  /** What the service made of it: several where it calls a preset. */
  readonly explained: readonly ExplainedStep[];
  /** Where the refusal is about this step. */
  readonly problem: Problem | null;
  readonly onChange: (step: Step) => void;
}

/** The parameters of a step, each with its control, what is wrong with it and why it has no effect. */
export function StepCard({ step, number, explained, problem, onChange }: StepCardProps): JSX.Element {
  const { parameters } = useOffer().vocabulary;
  const setEntries = (entries: readonly Entry[]): void => {
    onChange({ ...step, entries });
  };
  const set = (key: string, value: Value): void => {
    setEntries(step.entries.map((entry) => (entry.key === key ? { key, value } : entry)));
  };
  const component = explained.map((each) => each.component).filter((each) => each !== '');
  const keys = step.entries.map(({ key }) => key);
  // A refusal may name a key that the step lacks: it is said at the step then.
  const atStep = problem !== null && (problem.key === undefined || !keys.includes(problem.key));
  return (
    <div class="stack">
      {component.length > 0 && <p class="component code">{component.join('/')}</p>}
      {atStep && <p class="note note-bad">{problem.detail}</p>}
      <div class="parameters">
        {step.entries.map(({ key, value }) => (
          <Parameter
            key={key}
            name={key}
            number={number}
            value={value}
            ignored={explained.flatMap((each) => each.ignored.filter((ignored) => ignored.key === key))}
            problem={problem?.key === key ? problem : null}
            onValue={(changed) => {
              set(key, changed);
            }}
            onRemove={() => {
              setEntries(step.entries.filter((entry) => entry.key !== key));
            }}
          />
        ))}
      </div>
      <AddParameter
        number={number}
        keys={parameters.map(({ key }) => key).filter((key) => !keys.includes(key))}
        taken={keys}
        onAdd={(key) => {
          setEntries([...step.entries, { key, value: emptyValue(key) }]);
        }}
      />
    </div>
  );
}

/** What a step is, in two words. */
export function titleOf(step: Step): string {
  if (!hasLayer(step)) return 'Change the picture';
  const layer = step.entries.find(({ key }) => key === 'overlay' || key === 'underlay');
  return layer?.value.kind === 'text_layer' ? 'Text layer' : 'Image layer';
}

interface ParameterProps {
  readonly name: string;
  readonly number: number;
  readonly value: Value;
  readonly ignored: readonly { readonly reason: string }[];
  readonly problem: Problem | null;
  readonly onValue: (value: Value) => void;
  readonly onRemove: () => void;
}

function Parameter(props: ParameterProps): JSX.Element {
  const { name, number, value, ignored, problem, onValue, onRemove } = props;
  const parameter = useOffer().vocabulary.parameters.find(({ key }) => key === name);
  const id = useId();
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
          <p class="note note-bad">Refused. Allowed: {problem.allowed ?? problem.detail}</p>
        )}
        {ignored.map(({ reason }) => (
          <p key={reason} class="note note-warn">
            Ignored: {reason}
          </p>
        ))}
        {parameter !== undefined && <p class="hint">{parameter.help}</p>}
      </div>
    </div>
  );
}

interface AddParameterProps {
  readonly number: number;
  readonly keys: readonly string[];
  readonly taken: readonly string[];
  readonly onAdd: (key: string) => void;
}

function AddParameter({ number, keys, taken, onAdd }: AddParameterProps): JSX.Element {
  const { parameters } = useOffer().vocabulary;
  const [other, setOther] = useState<string | null>(null);
  const add = (key: string): void => {
    if (key !== '' && !taken.includes(key)) onAdd(key);
    setOther(null);
  };
  if (other !== null) {
    return (
      <form
        class="row"
        onSubmit={(event) => {
          event.preventDefault();
          add(other.trim());
        }}
      >
        <input
          class="input code"
          aria-label={`Key to add to step ${number}`}
          placeholder="a key of your own"
          value={other}
          autocomplete="off"
          autocapitalize="off"
          spellcheck={false}
          onInput={(event) => {
            setOther(event.currentTarget.value);
          }}
        />
        <button type="submit" class="button">
          Add
        </button>
      </form>
    );
  }
  return (
    <select
      class="input add-parameter"
      aria-label={`Add a parameter to step ${number}`}
      value=""
      onInput={(event) => {
        const { value } = event.currentTarget;
        event.currentTarget.value = '';
        if (value === OTHER_KEY) setOther('');
        else add(value);
      }}
    >
      <option value="">Add a parameter…</option>
      {keys.map((key) => (
        <option key={key} value={key}>
          {key}: {parameters.find((each) => each.key === key)?.help}
        </option>
      ))}
      <option value={OTHER_KEY}>{OTHER_KEY}</option>
    </select>
  );
}
