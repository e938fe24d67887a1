import { isDeepStrictEqual } from 'node:util';
import type { Step } from '../../client/src/pixseal-client.js';

/** The result of a matcher, in Vitest and Jest. */
interface Verdict {
  readonly pass: boolean;
  readonly message: () => string;
}

/** The matchers of `expect(…)`, to extend Vitest's or Jest's `Matchers` with. */
export interface PixsealMatchers<R = unknown> {
  /** A token, or a URL with one, has these steps and no others. No signature is verified. */
  toSealTransformation(expected: readonly Step[]): R;
  /**
   * The URL has these components according to the service (`…/explain`): one for each step, in order, `''` for a step
   * without effect. Must be awaited.
   */
  toDeliver(expected: readonly string[]): Promise<R>;
}

/** For `expect.extend(pixsealMatchers)`. They throw if there is nothing to compare: a result would let `.not` pass. */
export const pixsealMatchers = { toSealTransformation, toDeliver };

function toSealTransformation(received: unknown, expected: readonly Step[]): Verdict {
  const lines = compareSteps(stepsOf(received), expected, compareKeys);
  return verdict(lines, 'The token seals another transformation', 'The token seals just this transformation');
}

async function toDeliver(received: unknown, expected: readonly string[]): Promise<Verdict> {
  const url = readUrl(received);
  if (url === null) throw new Error('Expected the URL of an image.');
  const lines = compareSteps(await explain(url), expected, ({ component, ignored }, wanted) =>
    component === wanted
      ? []
      : [
          `expected ${wanted || 'nothing'}, delivered ${component || 'nothing'}`,
          ...ignored.map(({ key, reason }) => `${key} is ignored: ${reason}`),
        ],
  );
  return verdict(lines, 'The URL delivers another image', 'The URL delivers just this image');
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

function compareKeys(is: Members, should: Step): string[] {
  const wanted: Members = { ...should };
  return [...new Set([...Object.keys(wanted), ...Object.keys(is)])].flatMap((key) => {
    const [a, b] = [asSealed(wanted[key]), is[key]];
    return isDeepStrictEqual(a, b) ? [] : [`${key}: expected ${show(a)}, sealed ${show(b)}`];
  });
}

/** A value as JSON: without undefined members. */
const asSealed = (value: unknown): unknown =>
  value === undefined ? undefined : (JSON.parse(JSON.stringify(value)) as unknown);

const show = (value: unknown): string => (value === undefined ? 'nothing' : JSON.stringify(value));

/** The steps of a token. @throws Error if they cannot be read. */
function stepsOf(received: unknown): readonly Members[] {
  const token = readUrl(received)?.searchParams.get('token') ?? received;
  const [, payload = ''] = typeof token === 'string' ? token.split('.') : [];
  const claims = readJson(Buffer.from(payload, 'base64url').toString());
  if (!isObject(claims)) throw new Error('Expected a token, or a URL with one.');
  const { transformations = [] } = claims;
  if (isListOf(transformations, isObject)) return transformations;
  throw new Error(`The token’s transformations are not a list of steps: ${show(transformations)}`);
}

function readUrl(received: unknown): URL | null {
  const text = received instanceof URL ? received.href : received;
  return typeof text === 'string' && URL.canParse(text) ? new URL(text) : null;
}

interface ExplainedStep {
  readonly component: string;
  readonly ignored: readonly { readonly key: string; readonly reason: string }[];
}

/** @throws Error if the service refuses the URL, or the response is not the service's. */
async function explain(url: URL): Promise<readonly ExplainedStep[]> {
  const explainUrl = new URL(url);
  explainUrl.pathname += '/explain';
  const response = await fetch(explainUrl);
  const body = readJson(await response.text());
  const { steps, code, detail } = isObject(body) ? body : {};
  if (response.status === 200 && isListOf(steps, isExplained)) return steps;
  throw new Error(
    typeof code === 'string'
      ? `The URL is refused with ${response.status} ${code}: ${String(detail)}`
      : `The URL is not an image of Pixseal: ${explainUrl.origin}${explainUrl.pathname} returns ${response.status} without an explanation.`,
  );
}

type Members = Readonly<Record<string, unknown>>;

/** The parsed JSON; undefined for other text. */
function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isListOf<Item>(value: unknown, isItem: (item: unknown) => item is Item): value is readonly Item[] {
  return Array.isArray(value) && value.every(isItem);
}

function isExplained(step: unknown): step is ExplainedStep {
  return isObject(step) && typeof step['component'] === 'string' && isListOf(step['ignored'], isObject);
}
