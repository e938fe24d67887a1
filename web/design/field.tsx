import type { JSX } from 'preact';
import { useId } from 'preact/hooks';
import { FormattedText } from './formatted-text.js';

interface FieldProps {
  readonly label: string;
  readonly help?: string;
  readonly children: (control: {
    readonly id: string;
    readonly describedBy: string | undefined;
  }) => JSX.Element;
}

/** A control with its label and help. */
export function Field({ label, help, children }: FieldProps): JSX.Element {
  const id = useId();
  return (
    <div class="field">
      <label class="label" for={id}>
        {label}
      </label>
      {children({ id, describedBy: help === undefined ? undefined : `${id}-help` })}
      {help !== undefined && (
        <p class="hint" id={`${id}-help`}>
          <FormattedText text={help} />
        </p>
      )}
    </div>
  );
}

interface CheckProps {
  readonly label: string;
  readonly checked: boolean;
  readonly onChecked: (checked: boolean) => void;
}

/** A checkbox. */
export function Check({ label, checked, onChecked }: CheckProps): JSX.Element {
  return (
    <label class="check">
      <input
        type="checkbox"
        checked={checked}
        onInput={(event) => {
          onChecked(event.currentTarget.checked);
        }}
      />
      <span>{label}</span>
    </label>
  );
}
