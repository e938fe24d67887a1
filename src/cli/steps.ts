import { parseWithShares } from '../tokens/share-json.js';
import { UsageError } from './cli.errors.js';
import { readInput } from './input.js';

/** Plain numbers: what would be printed differently stays a string. */
const NUMBER = /^-?\d+(\.\d+)?$/;

/** A step of `--step`: `key=value,key=value`, or a JSON object. @throws UsageError */
export function readStep(text: string): unknown {
  if (text.trimStart().startsWith('{')) return parseJson('--step', text);
  const step = new Map<string, string | number>();
  for (const pair of text.split(',')) {
    const equals = pair.indexOf('=');
    const key = pair.slice(0, equals).trim();
    if (equals < 0 || key === '') {
      throw new UsageError(
        `--step ${JSON.stringify(text)}: ${JSON.stringify(pair)}: expected key=value. ` +
          'A value that contains a comma needs JSON, such as --step \'{"overlay":{"text":"a, b","text_style":"Arial_40"}}\'.',
      );
    }
    if (step.has(key)) throw new UsageError(`--step ${JSON.stringify(text)}: ${key} is repeated.`);
    step.set(key, readValue(pair.slice(equals + 1)));
  }
  return Object.fromEntries(step);
}

/** The steps of `--steps`: a JSON array, or `@file`, or `@-` for standard input. @throws UsageError */
export function readSteps(text: string): readonly unknown[] {
  const steps = parseJson('--steps', text.startsWith('@') ? readInput(text.slice(1)) : text);
  if (Array.isArray(steps)) return steps as readonly unknown[];
  throw new UsageError('--steps must be a JSON array of steps, such as \'[{"width":200}]\'.');
}

function readValue(text: string): string | number {
  return NUMBER.test(text) && String(Number(text)) === text ? Number(text) : text;
}

function parseJson(option: string, text: string): unknown {
  try {
    return parseWithShares(text);
  } catch (error) {
    throw new UsageError(
      `${option} is not JSON: ${error instanceof Error ? error.message : 'unknown error'}.`,
    );
  }
}
