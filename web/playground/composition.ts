import { isObject } from '../../src/domain/is-object.js';

/** A text layer's members as typed; an empty one is not set. */
export type TextLayer = Readonly<Record<string, string>>;

/** A parameter's value in its control. */
export type Value =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'flags'; readonly flags: readonly string[] }
  | { readonly kind: 'text_layer'; readonly members: TextLayer }
  /** A value from a pasted token that no control supports. */
  | { readonly kind: 'json'; readonly json: unknown };

export interface Entry {
  readonly key: string;
  readonly value: Value;
}

/** One step, with an id that stays when it moves. */
export interface Step {
  readonly id: number;
  readonly entries: readonly Entry[];
}

let lastId = 0;

export const text = (value: string): Value => ({ kind: 'text', text: value });

/** A new step. @param parameters Values by key, in display order. */
export function newStep(parameters: Readonly<Record<string, Value>>): Step {
  lastId += 1;
  return { id: lastId, entries: Object.entries(parameters).map(([key, value]) => ({ key, value })) };
}

/** The steps with one of them moved. */
export function moveStep(steps: readonly Step[], from: number, to: number): readonly Step[] {
  const moved = steps[from];
  if (moved === undefined || to < 0 || to >= steps.length) return steps;
  return steps.toSpliced(from, 1).toSpliced(to, 0, moved);
}

/** Whether it has a layer, so that flags of layers have an effect. */
export const hasLayer = (step: Step): boolean =>
  step.entries.some(({ key }) => key === 'overlay' || key === 'underlay');

/** A number if JSON writes it as typed: `1.0` (the whole) must stay a string, since `1` is a pixel. */
function scalar(typed: string): string | number {
  return /^-?\d/.test(typed) && String(Number(typed)) === typed ? Number(typed) : typed;
}

function toJson(value: Value): unknown {
  switch (value.kind) {
    case 'text':
      return value.text === '' ? undefined : scalar(value.text);
    case 'flags':
      return value.flags.length > 1 ? value.flags : value.flags[0];
    case 'text_layer':
      return Object.fromEntries(
        Object.entries(value.members)
          .filter(([, member]) => member !== '')
          .map(([key, member]) => [key, key === 'text' ? member : scalar(member)]),
      );
    case 'json':
      return value.json;
  }
}

/** The claim `transformations`: steps without empty fields. */
export function toTransformations(steps: readonly Step[]): readonly Readonly<Record<string, unknown>>[] {
  return steps.map(({ entries }) =>
    Object.fromEntries(
      entries
        .map(({ key, value }) => [key, toJson(value)] as const)
        .filter(([, value]) => value !== undefined),
    ),
  );
}

const isScalar = (value: unknown): value is string | number =>
  typeof value === 'string' || typeof value === 'number';

function fromJson(key: string, value: unknown): Value {
  if (key === 'flags') {
    const flags: readonly unknown[] = Array.isArray(value) ? value : [value];
    if (flags.every((flag) => typeof flag === 'string')) {
      return { kind: 'flags', flags: flags.flatMap((flag) => flag.split('.')) };
    }
  }
  if (isScalar(value)) return text(String(value));
  if ((key === 'overlay' || key === 'underlay') && isObject(value) && Object.values(value).every(isScalar)) {
    const members = Object.entries(value).map(([name, member]) => [name, String(member)]);
    return { kind: 'text_layer', members: Object.fromEntries(members) as TextLayer };
  }
  return { kind: 'json', json: value };
}

/** Steps from a token's claim, or null if it is not a list of objects. */
export function fromTransformations(claim: unknown): readonly Step[] | null {
  if (claim === undefined) return [];
  if (!Array.isArray(claim) || !claim.every(isObject)) return null;
  return claim.map((step) =>
    newStep(Object.fromEntries(Object.entries(step).map(([key, value]) => [key, fromJson(key, value)]))),
  );
}
