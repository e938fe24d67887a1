import { type Grammar, isPlainObject, matching, number, oneOf } from './grammar.js';
import { NearNames } from './near-names.js';

/**
 * Text layers, in the SDK's own terms: `textStyle` and the text branch of `process_layer` in
 * node_modules/cloudinary/lib/utils/index.js.
 */

/** Characters (UTF-16 units) of text that one layer carries at most. */
export const LONGEST_TEXT = 1000;

/**
 * A style by name, or a font with its size and looks: `sample_text_style`, `Arial_40_bold`. A dot stands between
 * digits only, because a font with an extension (`secret.ttf`) is the public id of a raw asset, and would be
 * reached without a row of ours.
 */
const STYLE = /^[A-Za-z0-9](?:[A-Za-z0-9_-]|%20|(?<=\d)\.(?=\d)){0,199}$/;

/** A space goes into the URL as `%20`, and so it is signed; the SDK signs it raw, which is not what it sends. */
const spaced = (grammar: Grammar): Grammar => ({
  ...grammar,
  write: (value) => grammar.write(typeof value === 'string' ? value.replaceAll(' ', '%20') : value),
});

const style = spaced(
  matching(STYLE, 'a style of letters, digits, `_`, `-` and spaces', ['sample_text_style', 'Arial_40_bold']),
);
const fontFamily = spaced(
  matching(/^[A-Za-z0-9](?:[A-Za-z0-9-]|%20){0,99}$/, 'a font name of letters, digits, `-` and spaces', [
    'Arial',
    'Open%20Sans',
    'Roboto',
  ]),
);
const spacing = number({ integer: [-1000, 1000], decimal: [-1000, 1000] });

/** A member of a text layer's style, in the order the SDK writes them. */
interface Look {
  readonly grammar: Grammar;
  /** The SDK leaves this one out. */
  readonly byDefault?: string;
}

/** `LAYER_KEYWORD_PARAMS` in lib/utils/consts.js: written in this order, whatever order the object has. */
const KEYWORDS: Readonly<Record<string, Look>> = {
  font_weight: { grammar: oneOf('normal', 'bold', 'thin', 'light'), byDefault: 'normal' },
  font_style: { grammar: oneOf('normal', 'italic'), byDefault: 'normal' },
  text_decoration: { grammar: oneOf('none', 'normal', 'underline', 'strikethrough'), byDefault: 'none' },
  text_align: { grammar: oneOf('left', 'center', 'right', 'end', 'start', 'justify') },
  stroke: { grammar: oneOf('none', 'stroke'), byDefault: 'none' },
};

/** Written after the keywords, in the order the object has them. */
const PREFIXED: Readonly<Record<string, { readonly prefix: string; readonly grammar: Grammar }>> = {
  letter_spacing: { prefix: 'letter_spacing_', grammar: spacing },
  line_spacing: { prefix: 'line_spacing_', grammar: spacing },
  font_hinting: { prefix: 'hinting_', grammar: oneOf('none', 'slight', 'medium', 'full') },
  font_antialiasing: {
    prefix: 'antialias_',
    grammar: oneOf('none', 'gray', 'subpixel', 'fast', 'good', 'best'),
  },
};

const FONT: Readonly<Record<string, Grammar>> = {
  font_family: fontFamily,
  font_size: number({ integer: [1, 1000] }),
};

/** Everything a text layer object may have, as data. `text` and one way of styling it are required. */
export const TEXT_LAYER_MEMBERS: ReadonlyMap<string, Grammar> = new Map([
  ...Object.entries(FONT),
  ...Object.entries(KEYWORDS).map(([name, { grammar }]) => [name, grammar] as const),
  ...Object.entries(PREFIXED).map(([name, { grammar }]) => [name, grammar] as const),
  ['text_style', style],
  ['public_id', style],
  ['resource_type', oneOf('text')],
]);

/** For people, of any value: completes "Allowed: …". */
export const TEXT_LAYER_ALLOWED =
  '`text:<style>:<percent-encoded text>`, or an object {text, font_family, font_size, font_weight, font_style, ' +
  'text_decoration, text_align, stroke, letter_spacing, line_spacing, font_hinting, font_antialiasing}, or {text, ' +
  `text_style} or {text, public_id} with the name of a style; the text of up to ${LONGEST_TEXT} characters, without ` +
  'control characters but line breaks, and without `$(`';

/**
 * Text that a picture may show. `$(name)` is refused and not escaped: the SDK leaves it as it is, a reference to a
 * variable, and variables never come from a token. Cloudinary decodes a layer's text twice, so what a second
 * decoding brings out is looked at too.
 */
function isShowable(text: string): boolean {
  return text.length > 0 && text.length <= LONGEST_TEXT && isHarmless(text) && isHarmless(decodedAgain(text));
}

const isHarmless = (text: string): boolean =>
  // A lone surrogate has no UTF-8, and a line break is the one control character that text needs.
  !/\p{Cs}|(?!\n)\p{Cc}/u.test(text) && !text.includes('$(');

/** As leniently as any decoder might: run by run, so that a lone `%` elsewhere hides nothing. */
function decodedAgain(text: string): string {
  return text.replace(/(?:%[0-9A-Fa-f]{2})+/g, (run) =>
    LENIENT.decode(Uint8Array.from(run.slice(1).split('%'), (byte) => Number.parseInt(byte, 16))),
  );
}

const LENIENT = new TextDecoder();

/**
 * The text as the SDK escapes it: `,` and `/` twice (`%252C`, `%252F`), since Cloudinary splits the chain after
 * the first decoding; everything else once; and the parentheses that `encodeURIComponent` leaves.
 */
function escapeText(text: string): string {
  return encodeURIComponent(text.replace(/,/g, '%2C').replace(/\//g, '%2F'))
    .replace(/\(/g, '%28')
    .replace(/\)/g, '%29');
}

const WRITTEN = /^text:([^:]*):((?:[A-Za-z0-9_.!~*'()-]|%[0-9A-Fa-f]{2})+)$/;

/** A layer that is text already: kept byte for byte once it decodes to what the SDK could have written. */
function writeString(value: string): string | undefined {
  const [, styled = '', escaped = ''] = WRITTEN.exec(value) ?? [];
  if (!STYLE.test(styled)) {
    return undefined;
  }
  try {
    const text = decodeURIComponent(escaped);
    // A comma or slash escaped only once would end the parameter or the component: `%252C` is how text has them.
    return isShowable(text) && !/[,/]/.test(text) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** The style of a layer whose members are in their grammar, or undefined when the SDK would drop a part of it. */
function writeStyle(members: ReadonlyMap<string, string>): string | undefined {
  const looks: string[] = [];
  for (const [name, { byDefault }] of Object.entries(KEYWORDS)) {
    const look = members.get(name);
    if (look !== undefined && look !== byDefault) {
      looks.push(look);
    }
  }
  for (const [name, look] of members) {
    const prefix = PREFIXED[name]?.prefix;
    if (prefix !== undefined) {
      looks.push(prefix + look);
    }
  }
  const family = members.get('font_family');
  const size = members.get('font_size');
  const byName = [members.get('text_style'), members.get('public_id')].filter((name) => name !== undefined);
  // One way of styling, whole: of two the SDK drops one, and half a font it drops or throws at.
  if (byName.length > 0) {
    return byName.length === 1 && family === undefined && size === undefined && looks.length === 0
      ? byName[0]
      : undefined;
  }
  return family === undefined || size === undefined ? undefined : [family, size, ...looks].join('_');
}

function writeObject({ text, ...layer }: Readonly<Record<string, unknown>>): string | undefined {
  const members = new Map<string, string>();
  for (const [name, value] of Object.entries(layer)) {
    const written = TEXT_LAYER_MEMBERS.get(name)?.write(value);
    if (written === undefined) {
      return undefined;
    }
    members.set(name, written);
  }
  const styled = writeStyle(members);
  return typeof text === 'string' && styled !== undefined && isShowable(text)
    ? `text:${styled}:${escapeText(text)}`
    : undefined;
}

/** A text layer as the SDK writes it after `l_` or `u_`, or undefined when the value is none. */
export function writeTextLayer(value: unknown): string | undefined {
  if (typeof value === 'string') {
    return writeString(value);
  }
  return isPlainObject(value) ? writeObject(value) : undefined;
}

const nearMembers = new NearNames(['text', ...TEXT_LAYER_MEMBERS.keys()], new Set());

/** For people, of the member at which an object is refused: completes "Allowed: …". Undefined where it is none. */
export function allowedTextLayer(value: unknown): string | undefined {
  if (!isPlainObject(value)) return undefined;
  const { text, ...layer } = value;
  for (const name of Object.keys(layer)) {
    const near = nearMembers.find(name);
    if (near !== null) return `\`${near}\` in a text layer, not \`${name}\``;
  }
  if (typeof text !== 'string' || !isShowable(text)) return undefined;
  for (const [name, member] of Object.entries(layer)) {
    const grammar = TEXT_LAYER_MEMBERS.get(name);
    if (grammar !== undefined && grammar.write(member) === undefined) {
      return `as \`${name}\` of a text layer ${grammar.allowed}`;
    }
  }
  return undefined;
}
