import { printable } from '../domain/printable.js';
import { ProblemError, type ProblemExtensions } from '../domain/problem.error.js';

/** Where a token's steps left the vocabulary, and what would have been inside it. */
export interface InvalidTransformation {
  /** 1-based; absent when the list of steps itself is at fault. */
  readonly step?: number;
  /** The parameter, in Cloudinary's own snake_case. */
  readonly key?: string;
  /** The offending value, as the token had it. */
  readonly value?: unknown;
  /** What would have been accepted, for people: completes "Allowed: …". */
  readonly allowed: string;
}

/** A key of a step that is not a parameter, and resembles one. */
export interface MisspelledKey {
  /** 1-based. */
  readonly step: number;
  readonly key: string;
  /** The known key that was probably meant. */
  readonly near: string;
}

/** A value as an error may show it: JSON, at most 100 characters, nothing unprintable. */
function render(value: unknown): string {
  let text: string | undefined;
  try {
    // JSON has no NaN or Infinity and would show null. A share such as `400.0` is kept as text: see share-json.ts.
    text = typeof value === 'number' || isShare(value) ? String(value) : JSON.stringify(value);
  } catch {
    text = undefined;
  }
  return printable(text ?? typeof value);
}

const isShare = (value: unknown): boolean => typeof value === 'string' && /^-?\d+\.0$/.test(value);

/** 422: a step, or a value in it, is outside the vocabulary. It is neither passed on nor dropped in silence. */
export class InvalidTransformationError extends ProblemError {
  override readonly extensions: ProblemExtensions;

  constructor(fault: InvalidTransformation | MisspelledKey) {
    const { step, key } = fault;
    const subject = [step && `step ${step}`, key && `\`${printable(key)}\``].filter(Boolean).join(', ');
    const place = { ...(step === undefined ? {} : { step }), ...(key === undefined ? {} : { key }) };
    if ('near' in fault) {
      super(
        'invalid_transformation',
        `Transformation refused: ${subject} is not a parameter. Did you mean \`${fault.near}\`? ` +
          'Correct it; where a token seals it, seal a new one.',
      );
      this.extensions = { ...place, near: fault.near, allowed: `\`${fault.near}\`` };
      return;
    }
    const shown = fault.value === undefined ? undefined : render(fault.value);
    super(
      'invalid_transformation',
      `Transformation refused: ${subject} cannot be ${shown ?? 'there'}. Allowed: ${fault.allowed}. ` +
        'Correct it; where a token seals it, seal a new one.',
    );
    this.extensions = {
      ...place,
      ...(shown === undefined ? {} : { value: shown }),
      allowed: fault.allowed,
    };
  }
}
