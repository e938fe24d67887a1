import sharp from 'sharp';
import { LONGEST_TEXT } from '../../../transformations/text-layer.js';
import type { Approximations } from '../approximations.js';
import { type Paint, parsePaint } from '../effects/paint.js';
import { enlarged, fromSharp, mapAlpha, toSharp } from '../effects/pixels.js';
import { outlined } from '../effects/shape-effects.js';
import { draw } from '../layers/blend.js';
import { DEFAULT_LIMITS, refuseTooLarge } from '../limits.js';
import type { Frame, RasterImage } from '../raster-image.js';
import { RenderError } from '../render.errors.js';
import { type Face, faceOf, findMissingGlyphs, registerFonts } from './fonts.js';
import { parseFont, type TextStyle } from './text-style.js';

/** Other parameters of the text layer's component, and settings of the service. */
export interface TextOptions {
  /** The value of `co_`; black by default. */
  readonly color?: string;
  /** The value of `b_`; none by default. */
  readonly background?: string;
  /** The value of `bo_`, the stroke's: `4px_solid_black`. */
  readonly border?: string;
  /** Pixels. With `crop` fit, lines are wrapped at this width. */
  readonly width?: number;
  readonly crop?: string;
  readonly flags?: ReadonlySet<string>;
  /** Named text styles: see text-styles.ts. */
  readonly styles?: ReadonlyMap<string, TextStyle>;
  /** Paths of the operator's fonts: see font-files.ts. */
  readonly fonts?: readonly string[];
  /** Maximum pixels of the result. */
  readonly maxPixels?: number;
  readonly notes?: Approximations;
}

/** A text's layout, in pixels. */
interface Layout {
  readonly text: string;
  readonly face: Face;
  readonly style: TextStyle;
  /** Lines are wrapped here. */
  readonly width: number | undefined;
  readonly maxPixels: number;
}

const LAYER = /^text:([^:]*):([^:]*)$/;

/**
 * Decoded once as a URL, and again because the SDK encodes `,` and `/` twice. A percent sign that encodes nothing
 * (`50%, today`) is text.
 */
function decodeText(escaped: string): string {
  let text: string;
  try {
    text = decodeURIComponent(escaped);
  } catch {
    throw new RenderError(400, 'Invalid text: not percent-encoded UTF-8');
  }
  text = text.replace(/(?:%[0-9A-Fa-f]{2})+/g, (encoded) => {
    try {
      return decodeURIComponent(encoded);
    } catch {
      // Bytes that are not UTF-8 are text too.
      return encoded;
    }
  });
  if (text.length > LONGEST_TEXT) throw new RenderError(400, `Text longer than ${LONGEST_TEXT} characters`);
  if (/\p{Cs}|(?!\n)\p{Cc}/u.test(text)) throw new RenderError(400, 'Invalid text: control character');
  if (text === '') throw new RenderError(400, 'Text is empty');
  return text;
}

/** A named style, else a font with its options. A file takes precedence: its operator chose the name. */
function findStyle(name: string, styles: TextOptions['styles']): TextStyle {
  const style = styles?.get(name.replaceAll('%20', ' ')) ?? parseFont(name);
  if (!style) throw new RenderError(400, `Text style not found: ${name}`);
  return style;
}

/** Text must not be parsed as Pango's markup (`<span font="…">`, `&#x…;`). */
const escapeMarkup = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

const hex = (value: number): string => value.toString(16).padStart(2, '0');

/** Pango's unit of length is 1/1024 of a pixel, at 72 dots per inch. */
const PANGO_SCALE = 1024;

function markup({ text, style }: Layout, paint: Paint, scale: number): string {
  const attributes = [`foreground="#${hex(paint.red)}${hex(paint.green)}${hex(paint.blue)}"`];
  const spacing = Math.round((style.letter_spacing ?? 0) * PANGO_SCALE * scale);
  if (spacing !== 0) attributes.push(`letter_spacing="${spacing}"`);
  if (style.text_decoration === 'underline') attributes.push('underline="single"');
  if (style.text_decoration === 'strikethrough') attributes.push('strikethrough="true"');
  return `<span ${attributes.join(' ')}>${escapeMarkup(text)}</span>`;
}

const ALIGNMENTS: Readonly<Record<string, 'left' | 'centre' | 'right'>> = {
  center: 'centre',
  right: 'right',
  end: 'right',
};

/** Text as pixels, trimmed to the ink, enlarged by `scale`. */
async function ink(layout: Layout, paint: Paint, scale: number): Promise<Frame> {
  const { face, style, width } = layout;
  return fromSharp(
    sharp({
      text: {
        text: markup(layout, paint, scale),
        font: `${face.name} ${(style.font_size * scale).toFixed(3)}`,
        fontfile: face.file,
        dpi: 72,
        rgba: true,
        align: ALIGNMENTS[style.text_align ?? 'left'] ?? 'left',
        justify: style.text_align === 'justify',
        spacing: Math.round((style.line_spacing ?? 0) * scale),
        wrap: 'word-char',
        ...(width === undefined ? {} : { width: Math.max(1, Math.round(width * scale)) }),
      },
    }),
  );
}

/** Cairo's longest side of a surface. */
const LONGEST_SIDE = 32_767;
/** Font size at which a text is measured before it is rendered. */
const MEASURED_SIZE = 10;
/** An upper bound of a glyph's advance, in font sizes. */
const MAX_GLYPH_ADVANCE = 2;

/**
 * The maximum size of a text; refuses it if too large: 1,000 characters of size 1,000 would be gigabytes. For most
 * texts, the character count suffices; the others are measured at a small size.
 */
async function measure(layout: Layout, paint: Paint): Promise<{ width: number; height: number }> {
  const { text, style } = layout;
  const lines = text.split('\n');
  const longest = Math.max(...lines.map((line) => line.length));
  const step = style.font_size * MAX_GLYPH_ADVANCE + Math.abs(style.letter_spacing ?? 0);
  const row = style.font_size * MAX_GLYPH_ADVANCE + Math.abs(style.line_spacing ?? 0);
  const bound = { width: longest * step, height: lines.length * row };
  if (
    layout.width === undefined &&
    bound.width < LONGEST_SIDE &&
    bound.height < LONGEST_SIDE &&
    bound.width * bound.height < 4e6
  ) {
    return bound;
  }
  const scale = MEASURED_SIZE / Math.max(MEASURED_SIZE, style.font_size);
  // A text that cannot be measured exceeds Cairo's sides even at a size of 10.
  const small = await inkOrRefuse(layout, paint, scale);
  const size = { width: Math.ceil(small.width / scale), height: Math.ceil(small.height / scale) };
  refuseTooLarge(size.width, size.height, 1, layout.maxPixels);
  if (size.width > LONGEST_SIDE || size.height > LONGEST_SIDE) throw tooLarge();
  return size;
}

const tooLarge = (): RenderError => new RenderError(400, `Text larger than ${LONGEST_SIDE} pixels`);

async function inkOrRefuse(layout: Layout, paint: Paint, scale: number): Promise<Frame> {
  try {
    return await ink(layout, paint, scale);
  } catch (error) {
    // The fonts are registered (see registerFonts), so the text is the cause: too large, or without ink.
    if (error instanceof Error && error.message.includes('no text to render')) return blank(layout, scale);
    throw tooLarge();
  }
}

/**
 * Text is rendered larger and scaled down: glyphs are fitted to whole pixels by a setting of each machine (fontconfig's
 * hinting), and an eighth of a pixel is hardly visible. Large text needs it less.
 */
const OVERSAMPLINGS = [8, 4, 2] as const;
const MOST_OVERSAMPLED_PIXELS = 8e6;

async function renderInk(layout: Layout, paint: Paint): Promise<Frame> {
  const { width, height } = await measure(layout, paint);
  const scale =
    OVERSAMPLINGS.find(
      (factor) =>
        width * height * factor ** 2 <= MOST_OVERSAMPLED_PIXELS &&
        Math.max(width, height) * factor < LONGEST_SIDE,
    ) ?? 1;
  const large = await inkOrRefuse(layout, paint, scale);
  if (scale === 1) return large;
  // Hinting may add or remove a row or column of the large text, which must not add a pixel.
  const shrunk = (side: number): number => Math.max(1, Math.ceil((side - 1) / scale));
  const size = { width: shrunk(large.width), height: shrunk(large.height) };
  // On whole pixels, so that no stroke is squeezed.
  const canvas = { width: size.width * scale, height: size.height * scale };
  const pixels = Buffer.alloc(canvas.width * canvas.height * 4);
  draw({ ...canvas, pixels }, large, 0, 0);
  return fromSharp(
    toSharp({ ...canvas, pixels }).resize(size.width, size.height, { fit: 'fill', kernel: 'linear' }),
  );
}

/** A space's width in font sizes, for text that consists of spaces. */
const SPACE = 0.32;

/** Text of spaces has no ink; with a background it is a box, as wide as the spaces. */
function blank({ text, style, maxPixels }: Layout, scale = 1): Frame {
  const lines = text.split('\n');
  const longest = Math.max(...lines.map((line) => line.length));
  const advance = Math.max(0, style.font_size * SPACE + (style.letter_spacing ?? 0));
  const width = Math.max(1, Math.round(longest * advance * scale));
  const height = Math.max(
    1,
    Math.round(lines.length * (style.font_size + (style.line_spacing ?? 0)) * scale),
  );
  refuseTooLarge(width, height, 1, maxPixels);
  return { width, height, pixels: Buffer.alloc(width * height * 4) };
}

const BORDER = /^(\d{1,4})px_solid_(.+)$/;
/** The SDK's default border. */
const STROKE = { width: 2, color: 'black' };

async function stroked(frame: Frame, border: string | undefined, maxPixels: number): Promise<Frame> {
  if (border === undefined) return outlined(frame, STROKE.width, 0, parsePaint(STROKE.color), maxPixels);
  const [, width = '', color = ''] = BORDER.exec(border) ?? [];
  if (width === '') throw new RenderError(400, `Invalid border ${border}`);
  return outlined(frame, Number(width), 0, parsePaint(color), maxPixels);
}

/** Padding of `fl_text_no_trim`, in font sizes. Cloudinary documents "a small amount". */
const PADDING = 0.2;

function padded(frame: Frame, padding: number, maxPixels: number): Frame {
  const [width, height] = [frame.width + 2 * padding, frame.height + 2 * padding];
  refuseTooLarge(width, height, 1, maxPixels);
  return enlarged(frame, width, height, padding, padding);
}

function onBackground(frame: Frame, { red, green, blue, alpha }: Paint): Frame {
  const canvas = Buffer.alloc(frame.pixels.length, Buffer.from([red, green, blue, alpha]));
  const result = { width: frame.width, height: frame.height, pixels: canvas };
  draw(result, frame, 0, 0);
  return result;
}

/** Characters without a glyph that a note names. */
const MAX_NAMED_CHARACTERS = 6;

async function noteFonts(
  { text, style, face }: Layout,
  fonts: readonly string[],
  notes: Approximations,
): Promise<void> {
  if (!face.name.startsWith(style.font_family)) notes.add(`text: ${face.name} for ${style.font_family}`);
  const missing = await findMissingGlyphs(text, fonts);
  if (missing.length === 0) return;
  const named = missing
    .slice(0, MAX_NAMED_CHARACTERS)
    .map((character) => `U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}`);
  const others = missing.length - named.length;
  notes.add(`text: no glyph for ${named.join(' ')}${others > 0 ? ` and ${others} more` : ''}`);
}

/**
 * A text layer as an image, trimmed to the text.
 * @param layer The text after `l_` or `u_`: `text:Arial_40_bold:Hello%252C%20you`.
 * @throws RenderError 400 for invalid text, an invalid or unknown style, or a result above the pixel limit.
 */
export async function renderText(layer: string, options: TextOptions): Promise<RasterImage> {
  const [, name, escaped] = LAYER.exec(layer) ?? [];
  if (name === undefined || escaped === undefined) throw new RenderError(400, `Invalid text layer ${layer}`);
  const style = findStyle(name, options.styles);
  const text = decodeText(escaped);
  const paint = parsePaint(options.color ?? style.font_color ?? 'black');
  const width = options.crop === 'fit' ? options.width : undefined;
  const { maxPixels = DEFAULT_LIMITS.pixels } = options;
  const layout: Layout = { text, style, face: faceOf(style), width, maxPixels };
  const fonts = options.fonts ?? [];
  await registerFonts(fonts);
  if (options.notes) await noteFonts(layout, fonts, options.notes);
  let frame = text.trim() === '' ? blank(layout) : await renderInk(layout, paint);
  if (paint.alpha < 255) frame = mapAlpha(frame, (alpha) => (alpha * paint.alpha) / 255);
  if (style.stroke === 'stroke') frame = await stroked(frame, options.border, maxPixels);
  if (options.flags?.has('text_no_trim'))
    frame = padded(frame, Math.ceil(style.font_size * PADDING), maxPixels);
  const background = options.background ?? style.background;
  if (background !== undefined) frame = onBackground(frame, parsePaint(background));
  return { frames: [frame], delays: [], loop: 0 };
}
