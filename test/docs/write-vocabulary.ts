import { effect, EFFECTS } from '../../src/transformations/effects.js';
import { EFFECT_GROUPS, GROUPED_EFFECTS } from '../../src/transformations/effect-groups.js';
import { FLAGS } from '../../src/transformations/flags.js';
import type { Shape } from '../../src/transformations/grammar.js';
import { LONGEST_TEXT, TEXT_LAYER_MEMBERS } from '../../src/transformations/text-layer.js';
import {
  type LayerAsset,
  MAX_LAYERS,
  MAX_STEPS,
  TransformationMapper,
} from '../../src/transformations/transformation.mapper.js';
import { LEFT_OUT } from './left-out.js';
import { IGNORED_KEYS, type Parameter, PARAMETERS } from '../../src/transformations/vocabulary.js';

const OVERLAY_ID = '3d616b4e-a597-4b23-aa3d-d7de678f0ba6';
const OVERLAY: LayerAsset = { deliveryType: 'upload', publicId: 'marks/shop' };
const TEXT_LAYER = { text: 'Jane Doe', font_family: 'Arial', font_size: 40 };

const mapper = new TransformationMapper();
const code = (text: string): string => `\`${text}\``;
/** Escapes angle brackets outside of backticks. */
const escaped = (text: string): string =>
  text
    .split(/(`[^`]*`)/)
    .map((part, index) => (index % 2 === 0 ? part.replaceAll('<', '\\<') : part))
    .join('');
const listOf = (items: readonly string[]): string => items.map((item) => `- ${item}`).join('\n');

/** A step and its mapped component. */
function example(step: Readonly<Record<string, unknown>>): string {
  const component = mapper
    .map([step])
    .components(new Map([[OVERLAY_ID, OVERLAY]]))
    .join('/');
  return `${code(JSON.stringify(step))} → ${code(component)}`;
}

/** A typical value of each kind that a shape accepts. */
function valuesOf(shape: Shape): readonly unknown[] {
  switch (shape.kind) {
    case 'number':
      return [
        ...(shape.integer ? [Math.min(Math.max(shape.integer[0], 40), shape.integer[1])] : []),
        ...(shape.decimal ? [Math.min(Math.max(shape.decimal[0], 0.5), shape.decimal[1])] : []),
        ...shape.words.slice(0, 1),
        ...(shape.expressions ? ['initial_width / 2'] : []),
      ];
    case 'words':
      return shape.words.slice(0, 1);
    case 'pattern':
      return shape.examples.slice(-1);
    case 'list':
      return [valuesOf(shape.of).slice(0, 2)];
    case 'any_of':
      return shape.of.flatMap(valuesOf);
  }
}

function examplesOf(parameter: Parameter): string[] {
  const { key, kind } = parameter;
  switch (kind) {
    case 'layer':
      return [OVERLAY_ID, TEXT_LAYER].map((value) => example({ [key]: value }));
    case 'asset':
      return [example({ [key]: OVERLAY_ID })];
    case 'flags':
      return [example({ [key]: ['progressive:steep', 'lossy'] })];
    case 'value':
      return (key === 'effect' ? ['sepia:50'] : valuesOf(parameter.grammar.shape)).map((value) =>
        example({ [key]: value }),
      );
    case 'size':
      return valuesOf(parameter.grammar.shape).map((value) => example({ [key]: value }));
  }
}

function takes({ key, allowed }: Parameter): string {
  if (key === 'effect') return 'one of the [effects](#effects), with its arguments after a colon';
  if (key === 'flags') return '[flags](#flags), several in an array or joined by `.`';
  return escaped(allowed);
}

/** Writes docs/vocabulary.md from the tables of src/transformations. */
export function writeVocabulary(): string {
  const parameters = PARAMETERS.map((parameter) => {
    const { key, code: short, help, source } = parameter;
    const named = source.startsWith('https:') ? `[Cloudinary’s reference](${source})` : code(source);
    return [
      `### ${key}`,
      `${short === '' ? 'No code of its own' : `${code(short)} in the URL`}. ${help}. Takes ${takes(parameter)}. See ${named}.`,
      listOf(examplesOf(parameter)),
    ].join('\n\n');
  });
  const flags = (scope: 'layer' | 'picture'): string =>
    listOf(
      FLAGS.filter((flag) => flag.scope === scope).map(
        ({ name, help, argument }) =>
          `${code(name)}: ${help}${argument ? `; after a colon: ${argument.allowed}` : ''}`,
      ),
    );
  const effects = [...EFFECTS.keys()].map((name) =>
    escaped((effect.allowedFor?.(name) ?? name).replace(/ with nothing$/, '')),
  );
  const groups = GROUPED_EFFECTS.map(({ name, groups: of, source, of: value }) => {
    const key = value === undefined ? '`effect`' : code(value.key);
    return `| ${code(name)} | ${key} | ${EFFECT_GROUPS.filter((group) => of.includes(group)).join(', ')} | [Cloudinary](${source}) |`;
  });
  const reasons = [...new Set(IGNORED_KEYS.values())];
  return `<!-- Generated from src/transformations by \`npm run docs:build\`: do not edit. -->

# Vocabulary

Everything that a step of a token may contain: ${PARAMETERS.length} parameters, ${FLAGS.length} flags, ${EFFECTS.size} effects.
This page is generated from the table that the service uses.

A step is an object of parameters, named as in Cloudinary's SDKs.
It becomes one component of the URL, its parameters in the order of their codes.
A value that its parameter does not allow is refused with 422; the response contains the step, the key and the allowed values.

\`null\`, \`''\` and \`[]\` (and a list of one of them) are treated as if the parameter were absent, as in Cloudinary's SDKs, and \`explain\` lists them with the reason "no value"; the same holds for a member of a text layer.
They are refused with 422 as \`overlay\`, \`underlay\`, \`preset\` and the \`text\` of a text layer: a missing watermark must not pass.

A number with a decimal point is a share, an integer is pixels: \`"width": 0.5\` is half, \`"width": 1.0\` the whole, \`"width": 1\` one pixel.
JavaScript, PHP and Go write \`1.0\` as \`1\`; pass the text \`"1.0"\` there.

| limit | |
| --- | --- |
| steps of a token | ${MAX_STEPS} |
| overlays and underlays in all steps, texts included | ${MAX_LAYERS} |
| characters of a text layer | ${LONGEST_TEXT} |
| characters of the URL | 4,096 |

In the examples ${code(OVERLAY_ID)} is a registered overlay, ${code(OVERLAY.publicId)} in Cloudinary.

## Parameters

${parameters.join('\n\n')}

## Flags

On any step:

${flags('picture')}

On a step with an overlay or underlay; on any other step they have no effect, which \`explain\` shows:

${flags('layer')}

## Effects

An effect's arguments follow its name after a colon, separated by colons: ${code('sepia:50')}.
An array (\`["sepia", 50]\`) and an object with one member (\`{"sepia": 50}\`) are also allowed.

${listOf(effects)}

### Groups of effects

A policy's \`allowed_effects\` and \`denied_effects\` name effects, these groups, and the values of other parameters that are in one of them.
\`generative\` adds content that the original does not have, \`ai\` runs one of Cloudinary's models, \`addon\` needs an add-on of the account.
\`adv_face\` stands for every gravity that begins with \`adv_\`, and \`object\` for every gravity that names a detected object.

| name | of | groups | source |
| --- | --- | --- | --- |
${groups.join('\n')}

## Text layers

\`overlay\` and \`underlay\` accept an object with a \`text\`, and a font with its size or the name of a style:

${listOf([...TEXT_LAYER_MEMBERS].map(([name, { allowed }]) => `${code(name)}: ${allowed}`))}

## What is left out

The table was compared with the types and constants of the SDK \`cloudinary\`, and with the tests of \`@cloudinary/url-gen\`.
Beside the [ignored keys](#ignored-keys), this is refused with 422:

${listOf(
  LEFT_OUT.map(
    ({ why, steps }) => `${why}: ${steps.map((step) => code(JSON.stringify(step).slice(1, -1))).join(', ')}.`,
  ),
)}

## Ignored keys

They have no effect.
\`explain\` lists each with its reason; under a policy with \`strict\` they are refused.

${listOf([
  ...reasons.map((reason) => {
    const keys = [...IGNORED_KEYS].filter(([, of]) => of === reason).map(([key]) => code(key));
    return `${keys.join(', ')}: ${reason}.`;
  }),
  'Names that begin with `$`: never comes from a token.',
  'Any other key: unknown parameter. A key that resembles a parameter (`widht`, `fetchFormat`, `overlays`) is refused with 422, unless the policy is `lenient`.',
])}
`;
}
