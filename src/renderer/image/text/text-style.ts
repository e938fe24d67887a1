import { TEXT_LAYER_MEMBERS } from '../../../transformations/text-layer.js';

/** A text's style: a font with its options, in the SDK's own terms. */
export interface TextStyle {
  /** Decoded: `Open Sans`. */
  readonly font_family: string;
  /** Pixels, 1 to 1000. */
  readonly font_size: number;
  readonly font_weight?: string;
  readonly font_style?: string;
  readonly text_decoration?: string;
  readonly text_align?: string;
  readonly stroke?: string;
  /** Additional pixels between letters, and between lines. */
  readonly letter_spacing?: number;
  readonly line_spacing?: number;
  /** Of a named style; `co_` and `b_` of the component override them. */
  readonly font_color?: string;
  readonly background?: string;
}

/** Keywords after the size, each of which identifies its member; `normal` and `none` have no effect. */
const KEYWORDS = ['font_weight', 'font_style', 'text_decoration', 'text_align', 'stroke'] as const;

/** `letter_spacing_4` and similar: the prefix, then the value. */
const PREFIXES = [
  ['letter_spacing_', 'letter_spacing'],
  ['line_spacing_', 'line_spacing'],
  ['hinting_', 'font_hinting'],
  ['antialias_', 'font_antialiasing'],
] as const;

const fits = (member: string, value: unknown): boolean =>
  TEXT_LAYER_MEMBERS.get(member)?.write(value) !== undefined;

const FONT = /^(.+?)_(\d{1,4})((?:_.*)?)$/;

/**
 * The inverse of transformations/text-layer.ts for a font: `Arial_40_bold_letter_spacing_2`, or undefined if that is
 * not a font (and so the name of a style).
 * Hinting and antialiasing are read and ignored: images must be equal on every machine, and both depend on the
 * machine's font settings.
 */
export function parseFont(text: string): TextStyle | undefined {
  const [, family = '', size = '', looks = ''] = FONT.exec(text) ?? [];
  if (!fits('font_family', family) || !fits('font_size', size)) return undefined;
  const members: Record<string, string | number> = {};
  let rest = looks;
  while (rest !== '') {
    rest = rest.slice(1);
    const prefixed = PREFIXES.find(([prefix]) => rest.startsWith(prefix));
    const value = rest.slice(prefixed?.[0].length ?? 0).split('_', 1)[0] ?? '';
    const member = prefixed?.[1] ?? KEYWORDS.find((name) => fits(name, value));
    if (member === undefined || member in members || !fits(member, value)) return undefined;
    members[member] = member.endsWith('_spacing') ? Number(value) : value;
    rest = rest.slice((prefixed?.[0].length ?? 0) + value.length);
  }
  return { ...members, font_family: decodeURIComponent(family), font_size: Number(size) };
}
