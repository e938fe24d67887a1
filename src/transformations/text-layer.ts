import { type Grammar, isAbsent, matching, number, oneOf, spaced } from './grammar.js';
import { isObject } from '../domain/is-object.js';
import { canonicalUuid } from '../domain/uuid.js';
import { NearNames } from '../domain/near-names.js';

/**
 * Text layers, as in the SDK: `textStyle` and the text branch of `process_layer` in
 * node_modules/cloudinary/lib/utils/index.js.
 */

/** Maximum characters (UTF-16 units) of a layer's text. */
export const LONGEST_TEXT = 1000;

/**
 * A font with such an extension is the public id of a raw asset. Refused at any position, in a name: a token refers to
 * its row (`readFontText`).
 */
const FONT_FILE = /\.(?:ttf|otf|woff2?|ttc|otc|eot|pf[ab]|dfont)(?![A-Za-z0-9])/i;

const NO_FONT_FILE =
  'a font file (`.ttf`, `.otf`, `.woff2`) is registered as an overlay, whose id is the `font_family`';

/**
 * A style by name, or a font with size and style: `sample_text_style`, `Arial_40_bold`. A dot is allowed only between
 * digits: a style with an extension would be the public id of another kind of asset.
 */
const STYLE = /^[A-Za-z0-9](?:[A-Za-z0-9_-]|%20|(?<=\d)\.(?=\d)){0,199}$/;

/** A segment of digits would be read as the font's size: `Exo_2_40` has the size 2. */
const FAMILY = '[A-Za-z0-9](?:[A-Za-z0-9.-]|%20|_(?!\\d+(?:_|$))){0,99}';
const FONT_FAMILY = new RegExp(`^${FAMILY}$`);
/** A font whose name contains a dot, with size and style: `Noto.Sans_40_bold`. */
const FONT_WITH_LOOKS = new RegExp(`^${FAMILY}_\\d{1,4}(?:_(?:[A-Za-z0-9_-]|(?<=\\d)\\.(?=\\d)){1,100})?$`);

const isStyle = (text: string): boolean =>
  (STYLE.test(text) || FONT_WITH_LOOKS.test(text)) && !FONT_FILE.test(text);

/** Refuses custom font files, and reports them as the reason. */
function withoutFontFile(grammar: Grammar): Grammar {
  const isFontFile = (value: unknown): boolean => typeof value === 'string' && FONT_FILE.test(value);
  return {
    ...grammar,
    write: (value) => (isFontFile(value) ? undefined : grammar.write(value)),
    allowedFor: (value) => (isFontFile(value) ? `${grammar.allowed}; ${NO_FONT_FILE}` : grammar.allowed),
  };
}

const style = withoutFontFile(
  spaced(
    matching(STYLE, 'a style of letters, digits, `_`, `-` and spaces', [
      'sample_text_style',
      'Arial_40_bold',
    ]),
  ),
);
const fontFamily = withoutFontFile(
  spaced(
    matching(
      FONT_FAMILY,
      'a font name of letters, digits, `-`, `.`, `_` and spaces, without a segment of only digits after a `_`; or the id (a ' +
        'UUID) of an overlay that is a font file',
      ['Arial', 'Open%20Sans', 'Roboto', 'Noto_Sans.JP'],
    ),
  ),
);
const spacing = number({ integer: [-1000, 1000], decimal: [-1000, 1000] });

/** A member of a text layer's style, in the order the SDK writes them. */
interface Look {
  readonly grammar: Grammar;
  /** The SDK omits this value. */
  readonly byDefault?: string;
}

/** `LAYER_KEYWORD_PARAMS` in lib/utils/consts.js: written in this order, regardless of the object's. */
const KEYWORDS: Readonly<Record<string, Look>> = {
  font_weight: { grammar: oneOf('normal', 'bold', 'thin', 'light'), byDefault: 'normal' },
  font_style: { grammar: oneOf('normal', 'italic'), byDefault: 'normal' },
  text_decoration: { grammar: oneOf('none', 'normal', 'underline', 'strikethrough'), byDefault: 'none' },
  text_align: { grammar: oneOf('left', 'center', 'right', 'end', 'start', 'justify') },
  stroke: { grammar: oneOf('none', 'stroke'), byDefault: 'none' },
};

/** Written after the keywords, in the object's order. */
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

/** All members of a text layer object, as data. `text` and one kind of style are required. */
export const TEXT_LAYER_MEMBERS: ReadonlyMap<string, Grammar> = new Map([
  ...Object.entries(FONT),
  ...Object.entries(KEYWORDS).map(([name, { grammar }]) => [name, grammar] as const),
  ...Object.entries(PREFIXED).map(([name, { grammar }]) => [name, grammar] as const),
  ['text_style', style],
  ['public_id', style],
  ['resource_type', oneOf('text')],
]);

/** Completes "Allowed: …" for people, for any value. */
export const TEXT_LAYER_ALLOWED =
  '`text:<style>:<percent-encoded text>`, or an object {text, font_family, font_size, font_weight, font_style, ' +
  'text_decoration, text_align, stroke, letter_spacing, line_spacing, font_hinting, font_antialiasing}, or {text, ' +
  `text_style} or {text, public_id} with the name of a style; the text of up to ${LONGEST_TEXT} characters, without ` +
  'control characters except line breaks, and without `$(`';

/** HTML forms submit line breaks as CR LF (https://html.spec.whatwg.org/#constructing-form-data-set). */
const withLineFeeds = (text: string): string => text.replace(/\r\n?/g, '\n');

/**
 * Finds why an image cannot show a text. `$(name)` is refused and not escaped: the SDK leaves it unchanged, as a
 * reference to a variable, and tokens may not use variables. Cloudinary decodes a layer's text twice, so the result of
 * a second decoding is checked too.
 * @returns Completes "a text layer's text is …"; undefined if the text can be shown.
 */
function findTextFault(text: string): string | undefined {
  if (text.length === 0 || text.length > LONGEST_TEXT) return `a text of 1 to ${LONGEST_TEXT} characters`;
  return findHarm(text) ?? findHarm(decodedAgain(text));
}

function findHarm(text: string): string | undefined {
  // A lone surrogate has no UTF-8, and text needs no control character except line breaks.
  const [control] = /\p{Cs}|(?!\n)\p{Cc}/u.exec(text) ?? [];
  if (control !== undefined) {
    const code = control.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0');
    return `a text without the character U+${code}; line breaks are the only control characters allowed`;
  }
  return text.includes('$(') ? 'a text without `$(`, which would read a variable' : undefined;
}

const isShowable = (text: string): boolean => findTextFault(text) === undefined;

/** Decodes leniently, each sequence by itself, so that a lone `%` elsewhere hides nothing. */
function decodedAgain(text: string): string {
  return text.replace(/(?:%[0-9A-Fa-f]{2})+/g, (run) =>
    LENIENT.decode(Uint8Array.from(run.slice(1).split('%'), (byte) => Number.parseInt(byte, 16))),
  );
}

const LENIENT = new TextDecoder();

/** Spaces, format characters, and letters and symbols that are blank. */
const INVISIBLE = /^[\p{Z}\p{Cc}\p{Cf}\p{Default_Ignorable_Code_Point}\u2800]*$/u;

/** Whether an image shows nothing of a text. @param escaped The text of a layer, as it appears in a URL. */
export function isInvisibleText(escaped: string): boolean {
  return INVISIBLE.test(decodedAgain(decodeURIComponent(escaped)));
}

/**
 * The text as the SDK escapes it: `,` and `/` twice (`%252C`, `%252F`), since Cloudinary splits the chain after the
 * first decoding; everything else once, including the parentheses that `encodeURIComponent` leaves.
 */
function escapeText(text: string): string {
  return encodeURIComponent(text.replace(/,/g, '%2C').replace(/\//g, '%2F'))
    .replace(/\(/g, '%28')
    .replace(/\)/g, '%29');
}

const WRITTEN = /^text:([^:]*):((?:[A-Za-z0-9_.!~*'()-]|%[0-9A-Fa-f]{2})+)$/;

/** A layer that is a string already: only its line breaks change, if it decodes to what the SDK could have written. */
function writeString(value: string): string | undefined {
  const [, styled = '', escaped = ''] = WRITTEN.exec(value) ?? [];
  if (!isStyle(styled)) {
    return undefined;
  }
  try {
    const lines = escaped.replace(/%0D(?:%0A)?/gi, '%0A');
    const text = decodeURIComponent(lines);
    // A comma or slash that is escaped once would end the parameter or the component: text contains `%252C`.
    return isShowable(text) && !/[,/]/.test(text) ? `text:${styled}:${lines}` : undefined;
  } catch {
    return undefined;
  }
}

/** The style of a layer with valid members, or undefined if the SDK would drop a part of it. */
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
  // Exactly one kind of style: the SDK drops one of two, and drops or throws at an incomplete font.
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
    if (isAbsent(value)) continue;
    const written = TEXT_LAYER_MEMBERS.get(name)?.write(value);
    if (written === undefined) {
      return undefined;
    }
    members.set(name, written);
  }
  const styled = writeStyle(members);
  if (typeof text !== 'string' || styled === undefined) return undefined;
  const lines = withLineFeeds(text);
  return isShowable(lines) ? `text:${styled}:${escapeText(lines)}` : undefined;
}

/** The text of a layer, from the layer as it is written: what follows the last colon, decoded as Cloudinary does. */
export function readWrittenText(written: string): string {
  const text = decodeURIComponent(written.slice(written.lastIndexOf(':') + 1));
  return text.replace(/%2C/gi, ',').replace(/%2F/gi, '/');
}

/** A text layer in a font file of a row. */
interface FontText {
  readonly fontId: string;
  /** The layer after its font: `_40_bold:Hi`; undefined if another member is not accepted. */
  readonly text: string | undefined;
}

/** Reads a text layer whose `font_family` is the id of a row; null for any other value. */
export function readFontText(value: unknown): FontText | null {
  if (!isObject(value)) return null;
  const fontId = canonicalUuid(value['font_family']);
  // A UUID is a font's name by its grammar too.
  return fontId === null ? null : { fontId, text: writeObject(value)?.slice(`text:${fontId}`.length) };
}

/** A text layer as the SDK writes it after `l_` or `u_`, or undefined for any other value. */
export function writeTextLayer(value: unknown): string | undefined {
  if (typeof value === 'string') {
    return writeString(value);
  }
  return isObject(value) ? writeObject(value) : undefined;
}

const nearMembers = new NearNames(['text', ...TEXT_LAYER_MEMBERS.keys()], []);

/** Completes "Allowed: …" for a refused layer. Undefined if the general rules are more helpful. */
export function allowedTextLayer(value: unknown): string | undefined {
  if (typeof value === 'string') return allowedString(value);
  if (!isObject(value)) return undefined;
  const { text, ...layer } = value;
  for (const name of Object.keys(layer)) {
    const near = nearMembers.find(name);
    if (near !== null) return `a text layer with \`${near}\` instead of \`${name}\``;
  }
  const wanted = allowedText(text);
  if (wanted !== undefined) return `a text layer whose \`text\` is ${wanted}`;
  for (const [name, member] of Object.entries(layer)) {
    const grammar = TEXT_LAYER_MEMBERS.get(name);
    if (grammar !== undefined && !isAbsent(member) && grammar.write(member) === undefined) {
      return `a text layer whose \`${name}\` is ${grammar.allowedFor?.(member) ?? grammar.allowed}`;
    }
  }
  return undefined;
}

function allowedText(text: unknown): string | undefined {
  if (typeof text === 'string') return findTextFault(withLineFeeds(text));
  // A number has several spellings (`19.9`, `19.90`), and JSON keeps one.
  if (typeof text === 'number') return 'a string, exactly as it should be shown: "19.90"';
  return text === undefined ? undefined : 'a string';
}

function allowedString(value: string): string | undefined {
  const [, styled = '', escaped = ''] = WRITTEN.exec(value) ?? [];
  if (FONT_FILE.test(styled)) return `${TEXT_LAYER_ALLOWED}; ${NO_FONT_FILE}`;
  if (!isStyle(styled)) return undefined;
  try {
    return findTextFault(withLineFeeds(decodeURIComponent(escaped)));
  } catch {
    return undefined;
  }
}
