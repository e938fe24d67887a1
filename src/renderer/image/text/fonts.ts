import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import sharp from 'sharp';
import type { TextStyle } from './text-style.js';

/** The folder of the package's font files: the same ones on every machine. */
const FOLDER = join(dirname(createRequire(import.meta.url).resolve('dejavu-fonts-ttf/package.json')), 'ttf');

/** A face: its file and its name in Pango. */
export interface Face {
  readonly file: string;
  readonly name: string;
}

const face = (file: string, name: string): Face => ({ file: join(FOLDER, `${file}.ttf`), name });

type Faces = readonly [regular: Face, italic: Face, bold: Face, boldItalic: Face];

const SANS: Faces = [
  face('DejaVuSans', 'DejaVu Sans'),
  face('DejaVuSans-Oblique', 'DejaVu Sans Oblique'),
  face('DejaVuSans-Bold', 'DejaVu Sans Bold'),
  face('DejaVuSans-BoldOblique', 'DejaVu Sans Bold Oblique'),
];
const SERIF: Faces = [
  face('DejaVuSerif', 'DejaVu Serif'),
  face('DejaVuSerif-Italic', 'DejaVu Serif Italic'),
  face('DejaVuSerif-Bold', 'DejaVu Serif Bold'),
  face('DejaVuSerif-BoldItalic', 'DejaVu Serif Bold Italic'),
];
const MONO: Faces = [
  face('DejaVuSansMono', 'DejaVu Sans Mono'),
  face('DejaVuSansMono-Oblique', 'DejaVu Sans Mono Oblique'),
  face('DejaVuSansMono-Bold', 'DejaVu Sans Mono Bold'),
  face('DejaVuSansMono-BoldOblique', 'DejaVu Sans Mono Bold Oblique'),
];
/** The only thin face; the package has it upright and without serifs only. */
const THIN = face('DejaVuSans-ExtraLight', 'DejaVu Sans ExtraLight');

const MONO_NAMES = /mono|courier|consol|code|menlo|monaco|typewriter|inconsolata/i;
const SERIF_NAMES =
  /(?<!sans[ -]?)serif|times|georgia|garamond|baskerville|bodoni|palatino|cambria|merriweather|playfair|lora|slab|roman|caslon|didot|crimson|cormorant|bitter|spectral|century|bookman|antiqua|minion|libre ?caslon|vollkorn|tinos/i;

/** The package's face that is nearest to a style. */
export function faceOf(style: TextStyle): Face {
  const { font_family: family, font_weight: weight, font_style: slant } = style;
  const [regular, italic, bold, boldItalic] = MONO_NAMES.test(family)
    ? MONO
    : SERIF_NAMES.test(family)
      ? SERIF
      : SANS;
  const isItalic = slant === 'italic';
  if (weight === 'bold') return isItalic ? boldItalic : bold;
  const isThin = weight === 'thin' || weight === 'light';
  return isItalic ? italic : isThin && regular === SANS[0] ? THIN : regular;
}

let registered: Promise<void> | undefined;

/**
 * Registers all faces with libvips, which keeps them for the process. Once and in this order: a character that one face
 * lacks is taken from another, and the choice must not depend on earlier renders.
 */
export function registerFonts(): Promise<void> {
  registered ??= (async () => {
    for (const { file, name } of [...SANS, ...SERIF, ...MONO, THIN]) {
      await sharp({ text: { text: '.', fontfile: file, font: `${name} 10`, rgba: true } })
        .raw()
        .toBuffer();
    }
  })();
  return registered;
}
