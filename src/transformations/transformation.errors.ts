import { printable } from '../domain/printable.js';
import { ProblemError, type ProblemExtensions } from '../domain/problem.error.js';

/** Where a token's steps are outside the vocabulary, and what is allowed there. */
export interface InvalidTransformation {
  /** 1-based; absent if the list of steps itself is invalid. */
  readonly step?: number;
  /** The parameter, in Cloudinary's own snake_case. */
  readonly key?: string;
  /** The invalid value, as in the token. */
  readonly value?: unknown;
  /** The accepted values: completes "Allowed: …". */
  readonly allowed: string;
}

/** An unknown key of a step that resembles a parameter. */
export interface MisspelledKey {
  /** 1-based. */
  readonly step: number;
  readonly key: string;
  /** The known key that was probably intended. */
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
          'Fix the step; if a token contains it, sign a new one.',
      );
      this.extensions = { ...place, near: fault.near, allowed: `\`${fault.near}\`` };
      return;
    }
    const shown = fault.value === undefined ? undefined : render(fault.value);
    super(
      'invalid_transformation',
      `Transformation refused: ${subject} ${shown === undefined ? 'is invalid' : `cannot be ${shown}`}. ` +
        `Allowed: ${fault.allowed}. ` +
        'Fix the step; if a token contains it, sign a new one.',
    );
    this.extensions = {
      ...place,
      ...(shown === undefined ? {} : { value: shown }),
      allowed: fault.allowed,
    };
  }
}
