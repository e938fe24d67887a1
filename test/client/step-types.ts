import { format, resolveConfig } from 'prettier';
import { EFFECTS } from '../../src/transformations/effects.js';
import { FLAGS } from '../../src/transformations/flags.js';
import type { Shape } from '../../src/transformations/grammar.js';
import { TEXT_LAYER_MEMBERS } from '../../src/transformations/text-layer.js';
import { type Parameter, PARAMETERS } from '../../src/transformations/vocabulary.js';

/** The SDK's types beside text, which no shape has. */
const OBJECTS: Readonly<Record<string, string>> = {
  border: '{ readonly width?: number | string; readonly color?: Color }',
  effect: 'readonly (number | string)[] | { readonly [Name in EffectName]?: number | string }',
};

const literals = (words: readonly string[]): string[] => words.map((word) => `'${word}'`);

/** The members of the union of types that a shape's values have; the service checks ranges. */
function typesOf(shape: Shape): string[] {
  switch (shape.kind) {
    case 'number':
      // Numbers keep their spelling as text: `1.0` is a share, 1 a pixel.
      return ['number', '`${number}`', ...literals(shape.words), ...(shape.expressions ? ['Text'] : [])];
    case 'words':
      return literals(shape.words);
    case 'pattern':
      return ['Text'];
    case 'list': {
      const item = union(typesOf(shape.of));
      return [item, `readonly (${item})[]`, 'Text'];
    }
    case 'any_of':
      return shape.of.flatMap(typesOf);
  }
}

const union = (types: readonly string[]): string => [...new Set(types)].join(' | ');

function typeOf(parameter: Parameter): string {
  switch (parameter.kind) {
    case 'flags':
      return 'Flags';
    case 'layer':
      return 'Text | TextLayer';
    case 'asset':
      return 'string';
    case 'size':
      return '`${number}x${number}`';
    case 'value':
      if (parameter.key === 'effect')
        return `EffectName | \`\${EffectName}:\${string}\` | ${OBJECTS['effect']}`;
      if (parameter.key === 'color') return 'Color';
      return union([
        ...typesOf(parameter.grammar.shape),
        ...(OBJECTS[parameter.key] ? [OBJECTS[parameter.key] ?? ''] : []),
      ]);
  }
}

const member = (name: string, type: string, doc: readonly string[] = []): string =>
  `${doc.length === 0 ? '' : `/** ${doc.join(' ')} */\n`}readonly ${name}?: ${type};`;

/** Writes packages/client/src/step.ts from the table of the vocabulary. */
export async function writeStepTypes(): Promise<string> {
  const color = PARAMETERS.find(({ key }) => key === 'color');
  const colors = color?.kind === 'value' ? typesOf(color.grammar.shape) : [];
  const text = `// Generated from src/transformations/vocabulary.ts by test/client/step-types.spec.ts; do not edit.

/** Any text, in a union whose literals an editor still suggests. */
type Text = string & Record<never, never>;

/** A CSS colour name, or \`#\` or \`rgb:\` with hex digits. */
type Color = ${union(colors)};

/** An effect's name; its arguments follow after a colon. */
type EffectName = ${union(literals([...EFFECTS.keys()]))};

/** A flag's name; some take an argument after a colon. */
type Flag = ${union([
    ...literals(FLAGS.map(({ name }) => name)),
    ...FLAGS.flatMap(({ name, argument }) => (argument ? [`\`${name}:\${string}\``] : [])),
  ])};

/** A flag, several in an array, or several joined by dots. */
type Flags = Flag | readonly (Flag | Text)[] | Text;

/** A text layer: with a font and its size, or the name of a style. */
export interface TextLayer {
  readonly text: string;
  ${[...TEXT_LAYER_MEMBERS].map(([name, { shape }]) => member(name, union(typesOf(shape)))).join('\n')}
}

/** A step of a token. Keys and values are those of Cloudinary's SDKs; the service checks their ranges. */
export interface Step {
  ${PARAMETERS.map((parameter) => member(parameter.key, typeOf(parameter), [parameter.code === '' ? 'Short for `width` and `height`.' : `\`${parameter.code}\` in the URL.`])).join('\n')}
  /** The name of a preset of the issuer's policy; the step must have no other key. */
  readonly preset?: string;
}
`;
  return format(text, { ...(await resolveConfig('packages/client/src/step.ts')), parser: 'typescript' });
}
