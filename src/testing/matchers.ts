import { isDeepStrictEqual } from 'node:util';
import type { Step } from '../client/pixseal-client.js';

/** What a matcher answers, in Vitest and Jest alike. */
interface Verdict {
  readonly pass: boolean;
  readonly message: () => string;
}

/** The matchers as `expect(…)` has them, to extend Vitest's or Jest's `Matchers` with. */
export interface PixsealMatchers<R = unknown> {
  /** A token, or a URL with one, has these steps and no others. No signature is verified. */
  toSealTransformation(expected: readonly Step[]): R;
  /**
   * The service, asked what the URL does (`…/explain`), answers these components, one for each step and in order;
   * a step that maps to nothing has `''`. To be awaited.
   */
  toDeliver(expected: readonly string[]): Promise<R>;
}

/** For `expect.extend(pixsealMatchers)`. */
export const pixsealMatchers = { toSealTransformation, toDeliver };

function toSealTransformation(received: unknown, expected: readonly Step[]): Verdict {
  const sealed = stepsOf(received);
  if (typeof sealed === 'string') return { pass: false, message: () => sealed };
  const lines = compareSteps(sealed, expected, compareKeys);
  return verdict(lines, 'The token seals another transformation', 'The token seals just this transformation');
}

async function toDeliver(received: unknown, expected: readonly string[]): Promise<Verdict> {
  const url = readUrl(received);
  if (url === null) return { pass: false, message: () => 'An image’s URL was expected.' };
  const explanation = await explain(url);
  if ('refusal' in explanation) return { pass: false, message: () => explanation.refusal };
  const lines = compareSteps(explanation.steps, expected, ({ component, ignored }, wanted) =>
    component === wanted
      ? []
      : [
          `expected ${wanted || 'nothing'}, delivered ${component || 'nothing'}`,
          ...ignored.map(({ key, reason }) => `${key} is ignored: ${reason}`),
        ],
  );
  return verdict(lines, 'The URL delivers another picture', 'The URL delivers just this picture');
}

interface StepLine {
  readonly same: boolean;
  readonly text: string;
}

/** A line for each step of either side. */
function compareSteps<Found, Wanted>(
  found: readonly Found[],
  wanted: readonly Wanted[],
  differences: (found: Found, wanted: Wanted) => readonly string[],
): StepLine[] {
  return Array.from({ length: Math.max(found.length, wanted.length) }, (_, at) => {
    const [is, should] = [found[at], wanted[at]];
    const notes =
      is === undefined
        ? [`missing: ${show(should)}`]
        : should === undefined
          ? [`not expected: ${show(is)}`]
          : differences(is, should);
    return {
      same: notes.length === 0,
      text: `  step ${at + 1}: ${notes.length === 0 ? 'same' : notes.join('\n          ')}`,
    };
  });
}

function verdict(lines: readonly StepLine[], differs: string, agrees: string): Verdict {
  const pass = lines.every(({ same }) => same);
  return {
    pass,
    message: () => (pass ? `${agrees}.` : [`${differs}:`, ...lines.map(({ text }) => text)].join('\n')),
  };
}

function compareKeys(is: Readonly<Record<string, unknown>>, should: Step): string[] {
  const wanted: Readonly<Record<string, unknown>> = { ...should };
  return [...new Set([...Object.keys(wanted), ...Object.keys(is)])].flatMap((key) => {
    const [a, b] = [asSealed(wanted[key]), is[key]];
    return isDeepStrictEqual(a, b) ? [] : [`${key}: expected ${show(a)}, sealed ${show(b)}`];
  });
}

/** A value as a token has it: in JSON, where a member that is undefined is none. */
const asSealed = (value: unknown): unknown =>
  value === undefined ? undefined : (JSON.parse(JSON.stringify(value)) as unknown);

const show = (value: unknown): string => (value === undefined ? 'nothing' : JSON.stringify(value));

/** The steps of a token, or why there are none to be read. */
function stepsOf(received: unknown): readonly Readonly<Record<string, unknown>>[] | string {
  const token = readUrl(received)?.searchParams.get('token') ?? received;
  const [, payload = ''] = typeof token === 'string' ? token.split('.') : [];
  try {
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as { transformations?: unknown };
    const { transformations = [] } = claims;
    return Array.isArray(transformations)
      ? (transformations as Readonly<Record<string, unknown>>[])
      : `The token’s transformations are no list: ${show(transformations)}`;
  } catch {
    return 'A token, or a URL with one, was expected.';
  }
}

function readUrl(received: unknown): URL | null {
  const text = received instanceof URL ? received.href : received;
  return typeof text === 'string' && URL.canParse(text) ? new URL(text) : null;
}

interface ExplainedStep {
  readonly component: string;
  readonly ignored: readonly { readonly key: string; readonly reason: string }[];
}

async function explain(url: URL): Promise<{ steps: readonly ExplainedStep[] } | { refusal: string }> {
  const asked = new URL(url);
  asked.pathname += '/explain';
  const answer = await fetch(asked);
  const body = (await answer.json().catch(() => ({}))) as Partial<Record<string, unknown>>;
  if (answer.status === 200) return { steps: body['steps'] as readonly ExplainedStep[] };
  const { code, detail } = body;
  return { refusal: `The URL is refused with ${answer.status} ${String(code)}: ${String(detail)}` };
}
