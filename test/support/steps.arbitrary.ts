import fc from 'fast-check';
import { EFFECTS, type EffectForm } from '../../src/transformations/effects.js';
import { FLAGS } from '../../src/transformations/flags.js';
import type { Grammar, Shape } from '../../src/transformations/grammar.js';
import { TEXT_LAYER_MEMBERS, writeTextLayer } from '../../src/transformations/text-layer.js';
import { MAX_LAYERS } from '../../src/transformations/transformation.mapper.js';
import { PARAMETERS, type Parameter } from '../../src/transformations/vocabulary.js';

/** A step as a token carries it. */
export type Step = Readonly<Record<string, unknown>>;

/** The rows that generated steps may refer to. */
export interface StepRows {
  /** Ids for `overlay` and `underlay`. */
  readonly overlayIds: readonly string[];
  /** Ids for `default_image`: overlays with delivery type `upload`. Without them no step has one. */
  readonly uploadedIds?: readonly string[];
}

const decimal = (min: number, max: number): fc.Arbitrary<number | string> =>
  fc
    .double({ min, max, noNaN: true })
    .map((value) => Number(value.toFixed(3)))
    .filter((value) => value >= min && value <= max)
    .map((value) => (Number.isInteger(value) ? value.toFixed(1) : value));

const asNumberOrText = (arbitrary: fc.Arbitrary<number | string>): fc.Arbitrary<number | string> =>
  fc.tuple(arbitrary, fc.boolean()).map(([value, text]) => (text ? String(value) : value));

const operand = fc.oneof(
  fc.constantFrom(
    'iw',
    'ih',
    'w',
    'h',
    'initial_width',
    'initialHeight',
    'width',
    'height',
    'face_count',
    'page_x',
  ),
  fc.integer({ min: -500, max: 500 }).map(String),
  fc.constantFrom('0.5', '1.25'),
);
const operator = fc.constantFrom(
  ' * ',
  ' / ',
  ' + ',
  ' - ',
  ' ^ ',
  '_mul_',
  '_div_',
  '_add_',
  '_sub_',
  ' _pow  ',
);
const expression = fc
  .tuple(operand, fc.array(fc.tuple(operator, operand), { maxLength: 3 }))
  .map(([first, rest]) => first + rest.flat().join(''))
  .filter((text) => !/^-?\d/.test(text) || /[a-z^*/+]/.test(text));

/** Values of a shape: numbers as numbers and as text, lists as arrays and joined. */
function valueOf(shape: Shape): fc.Arbitrary<unknown> {
  switch (shape.kind) {
    case 'number':
      return fc.oneof(
        ...(shape.integer
          ? [asNumberOrText(fc.integer({ min: shape.integer[0], max: shape.integer[1] }))]
          : []),
        ...(shape.decimal ? [asNumberOrText(decimal(...shape.decimal))] : []),
        ...(shape.words.length > 0 ? [fc.constantFrom(...shape.words)] : []),
        ...(shape.expressions ? [expression] : []),
      );
    case 'words':
      return fc.constantFrom(...shape.words);
    case 'pattern':
      return fc.constantFrom(...shape.examples);
    case 'list':
      return fc
        .tuple(fc.array(valueOf(shape.of), { minLength: 1, maxLength: shape.most }), fc.boolean())
        .map(([items, joined]) => (joined ? items.join(shape.separator) : items));
    case 'any_of':
      return fc.oneof(...shape.of.map(valueOf));
  }
}

const accepted = (grammar: Grammar): fc.Arbitrary<unknown> =>
  valueOf(grammar.shape).filter((value) => grammar.write(value) !== undefined);

function effectArguments(form: EffectForm): fc.Arbitrary<readonly string[]> {
  if (form.kind === 'ordered') {
    return fc
      .tuple(
        fc.tuple(...form.args.map((arg) => valueOf(arg.shape).map(String))),
        fc.nat({ max: form.args.length }),
      )
      .map(([values, count]) => values.slice(0, Math.max(form.required, count)));
  }
  const names = [...form.args.keys()];
  const text = (name: string): fc.Arbitrary<string> =>
    valueOf(form.args.get(name)?.shape ?? { kind: 'words', words: [''] }).map(
      (value) => `${name}${form.joint}${String(value)}`,
    );
  return fc
    .shuffledSubarray(names, { minLength: 1 })
    .map((some) => [...new Set([...some, ...form.required])])
    .chain((some) => fc.tuple(...some.map(text)))
    .map((parts) => [parts.join(form.separator)]);
}

/** An effect as text, as an array, or, with one argument, as an object. */
const effect = fc
  .constantFrom(...EFFECTS)
  .chain(([name, forms]) =>
    fc.tuple(fc.constant(name), fc.oneof(...forms.map(effectArguments)), fc.nat({ max: 2 })),
  )
  .map(([name, args, spelling]): unknown =>
    spelling === 1
      ? [name, ...args]
      : spelling === 2 && args.length === 1
        ? { [name]: args[0] }
        : [name, ...args].join(':'),
  );

const flag = fc
  .constantFrom(...FLAGS)
  .chain(({ name, argument }) =>
    argument
      ? fc
          .option(valueOf(argument.shape), { nil: '' })
          .map((value) => (value === '' ? name : `${name}:${String(value)}`))
      : fc.constant(name),
  );
const flags = fc.oneof(
  flag,
  fc.array(flag, { minLength: 1, maxLength: 4 }),
  fc.array(flag, { minLength: 1, maxLength: 4 }).map((many) => many.join('.')),
);

const text = fc.oneof(
  fc.string({ unit: 'grapheme', minLength: 1, maxLength: 30 }),
  fc.constantFrom(
    'Hello, world / 50% off!',
    '(c) Ünïcode 写真 🙂',
    'two\nlines',
    'a//b',
    '$5',
    '%2C',
    "it's",
    '?#&+=;:',
  ),
);
const looks = Object.fromEntries(
  [...TEXT_LAYER_MEMBERS]
    .filter(([name]) => !['font_family', 'font_size', 'text_style', 'public_id'].includes(name))
    .map(([name, grammar]) => [name, valueOf(grammar.shape)]),
);
const textLayer: fc.Arbitrary<unknown> = fc
  .oneof(
    fc
      .tuple(
        fc.record({
          text,
          font_family: fc.constantFrom('Arial', 'Open%20Sans'),
          font_size: fc.integer({ min: 1, max: 1000 }),
        }),
        fc.record(looks, { requiredKeys: [], noNullPrototype: true }),
      )
      .map(([font, look]) => ({ ...look, ...font })),
    fc.record(
      { text, text_style: fc.constantFrom('Arial_40_bold', 'sample_text_style') },
      { noNullPrototype: true },
    ),
    fc.record(
      { text, public_id: fc.constant('sample_text_style'), resource_type: fc.constant('text') },
      { noNullPrototype: true },
    ),
    fc.constantFrom(
      'text:sample_text_style:Stylish%20text',
      'text:Arial_40:a%252C%252Fb',
      'text:Arial_40_letter_spacing_1.5:50%25',
    ),
  )
  .filter((value) => writeTextLayer(value) !== undefined);

const HEX = fc.constantFrom('#fff', '#FEB61FC2', '#1a8502');

function valueFor(parameter: Parameter, { overlayIds, uploadedIds = [] }: StepRows): fc.Arbitrary<unknown> {
  switch (parameter.kind) {
    case 'layer':
      return fc.oneof(
        ...(overlayIds.length > 0
          ? [fc.constantFrom(...overlayIds, ...overlayIds.map((id) => id.toUpperCase()))]
          : []),
        textLayer,
      );
    case 'asset':
      return fc.constantFrom(...uploadedIds);
    case 'flags':
      return flags;
    case 'size':
      return fc
        .tuple(fc.integer({ min: 1, max: 65500 }), fc.integer({ min: 1, max: 65500 }))
        .map(([width, height]) => `${width}x${height}`);
    case 'value':
      switch (parameter.key) {
        case 'effect':
          return effect.filter((value) => parameter.grammar.write(value) !== undefined);
        case 'background':
        case 'color':
          return fc.oneof(accepted(parameter.grammar), HEX);
        case 'border':
          return fc.oneof(
            accepted(parameter.grammar),
            fc.record(
              { width: fc.integer({ min: 1, max: 99 }), color: fc.oneof(HEX, fc.constant('red')) },
              { requiredKeys: [], noNullPrototype: true },
            ),
          );
        default:
          return accepted(parameter.grammar);
      }
  }
}

/** Steps that the mapper accepts: any parameters of the table, and rarely a key that it ignores. */
export function acceptedStep(rows: StepRows): fc.Arbitrary<Step> {
  const parameters = PARAMETERS.filter(({ kind }) => kind !== 'asset' || (rows.uploadedIds?.length ?? 0) > 0);
  const entries = new Map(parameters.map((parameter) => [parameter.key, valueFor(parameter, rows)]));
  const ignored = {
    miaim: fc.string(),
    $width: fc.integer(),
    raw_transformation: fc.constant('w_1/l_secret'),
  };
  return fc
    .shuffledSubarray([...entries.keys()], { minLength: 1, maxLength: 7 })
    .chain((keys) =>
      fc.tuple(
        ...keys.map((key) =>
          (entries.get(key) ?? fc.constant(undefined)).map((value) => [key, value] as const),
        ),
      ),
    )
    .chain((some) =>
      fc
        .record(ignored, { requiredKeys: [], noNullPrototype: true })
        .map((rest) => ({ ...Object.fromEntries(some), ...rest })),
    );
}

/** The `transformations` of a token that the mapper accepts: 1 to 6 steps, within the limit of layers. */
export function acceptedSteps(rows: StepRows): fc.Arbitrary<readonly Step[]> {
  return fc.array(acceptedStep(rows), { minLength: 1, maxLength: 6 }).map((steps) => {
    let layers = 0;
    return steps.map((step) =>
      Object.fromEntries(
        Object.entries(step).filter(
          ([key]) => (key !== 'overlay' && key !== 'underlay') || ++layers <= MAX_LAYERS,
        ),
      ),
    );
  });
}

/** Values that are treated as absent. */
const ABSENT = fc.constantFrom<unknown>(null, '', [], [''], [null]);
const OPTIONAL_KEYS = PARAMETERS.filter(({ kind }) => kind !== 'layer').map(({ key }) => key);
const OPTIONAL_LOOKS = [...TEXT_LAYER_MEMBERS.keys()].filter((name) => !name.startsWith('font_'));

const isTextLayer = (value: unknown): value is Step => typeof value === 'object' && value !== null;

/** Steps with additional absent parameters and members of texts: the chain stays the same. */
export function withAbsentValues(steps: fc.Arbitrary<readonly Step[]>): fc.Arbitrary<readonly Step[]> {
  const absent = fc.tuple(
    fc.dictionary(fc.constantFrom(...OPTIONAL_KEYS), ABSENT, { maxKeys: 4, noNullPrototype: true }),
    fc.dictionary(fc.constantFrom(...OPTIONAL_LOOKS), ABSENT, { maxKeys: 2, noNullPrototype: true }),
  );
  return steps.chain((all) =>
    fc.tuple(...all.map(() => absent)).map((added) =>
      all.map((step, index) => {
        const [parameters = {}, looks = {}] = added[index] ?? [];
        const filled = Object.entries(step).map(([key, value]) => [
          key,
          (key === 'overlay' || key === 'underlay') && isTextLayer(value) ? { ...looks, ...value } : value,
        ]);
        return { ...parameters, ...(Object.fromEntries(filled) as Step) };
      }),
    ),
  );
}
