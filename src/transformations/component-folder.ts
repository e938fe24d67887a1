import { COLOR_NAMES } from './color.js';
import { EFFECTS } from './effects.js';
import { words } from './grammar.js';
import { CROPS, PARAMETER_BY_CODE } from './vocabulary.js';

/**
 * Whether Cloudinary reads a folder as a component of its transformation syntax. The version is not signed, so the
 * signature of `t_shirts/red` is that of the named transformation `shirts` on `red`, which may be another issuer's
 * image. Only the first folder matters: Cloudinary reads components up to the first segment that is not one.
 * Wider than the vocabulary of steps on purpose: it includes what no token may use (conditions, variables, video), and
 * values beyond the vocabulary's ranges. Where a value may be any text, every folder with that code is a component.
 */
export function readsAsComponent(folder: string): boolean {
  // NFKC, so that a fullwidth comma or underscore cannot hide a component.
  const text = folder.normalize('NFKC').trim();
  const parts = text.split(',').map((part) => part.trim());
  const written = parts.filter((part) => part !== '');
  // The URL has `%2C` for a comma, which a reader may decode before or after it splits the component.
  return readsAsParameter(text) || (written.length > 0 && written.every(readsAsParameter));
}

function readsAsParameter(part: string): boolean {
  if (part.startsWith('$')) return true;
  const [, code = '', text = ''] = /^([a-z]{1,3})_(.*)$/s.exec(part) ?? [];
  const value = text.toLowerCase();
  if (ANY_TEXT.has(code)) return true;
  const isValue = VALUES.get(code);
  // A value that does not begin with a letter may be a number.
  return isValue !== undefined && (!/^\p{L}/u.test(value) || isValue(value) || isOfVocabulary(code, text));
}

function isOfVocabulary(code: string, value: string): boolean {
  const parameter = PARAMETER_BY_CODE.get(code);
  return parameter?.kind === 'value' && parameter.grammar.write(value) !== undefined;
}

/** Codes whose value is free text or from an open list. */
const ANY_TEXT = new Set(words('ac bl cs d fl fn g if l p pg sp t u vc'));

const firstWord = (value: string): string => /^[a-z0-9]*/.exec(value)?.[0] ?? '';

/** Words that start an expression or a constant of a numeric parameter. */
const NUMERIC_WORDS = new Set(
  words(`
    abs ar aspect aspectratio auto ceil context cp ctx current currentpage du duration exif face facecount fc floor h
    height hflip iaf iar idn idu if ignore ih illustrationscore ils initial initialaspectratio initialduration initialheight
    initialwidth iw jpegmini limit max md metadata min mod page pagecount pagex pagey pc pow px py round sqrt tags tar
    trimmed trimmedaspectratio vflip w width
  `),
);

const isNumeric = (value: string): boolean => NUMERIC_WORDS.has(firstWord(value));

/** Colours of ImageMagick and X11 beyond those of CSS; they may end in a number. */
const COLORS = new Set([
  ...COLOR_NAMES,
  ...words(`
    currentcolor fractal freeze lightgoldenrod lightslateblue matte mediumforestgreen mediumgoldenrod navyblue opaque
    undefined violetred
  `),
]);
const COLOR_FORMS = new Set(words('auto blurred cmyk gen hsb hsl predominant rgb rgba'));

const isColor = (value: string): boolean =>
  COLORS.has(value.replace(/\d+$/, '')) ||
  COLOR_FORMS.has(firstWord(value)) ||
  /^(?:[0-9a-f]{3,4}|[0-9a-f]{6}|[0-9a-f]{8})$/.test(value);

/** First words of effects: those of the vocabulary, of video and add-ons, and plausible names of later effects. */
const EFFECT_WORDS = new Set([
  ...[...EFFECTS.keys()].map(firstWord),
  ...words(`
    accelerate adaptive ai bevel boomerang charcoal clipdrop cld concat crop curve deblur denoise deshake despeckle drop
    edge emboss equalize frame gaussian generative gradient hdr imagga implode invert ken levels lightroom lut median
    morph mosaic motion negative normalize ocr perspective pixelz polaroid posterize preview progressbar radial
    rekognition remove replace resize reverse rotate sketch smart solarize spread style super swap swirl threshold
    transition unblur visualize volume warp wave waveform
  `),
]);

const isEffect = (value: string): boolean => EFFECT_WORDS.has(firstWord(value));

const CROP_WORDS = new Set([
  ...CROPS.map(firstWord),
  ...words('contain cover custom exact fillpad lcrop letterbox mcrop smart stretch'),
]);

const isCrop = (value: string): boolean => CROP_WORDS.has(firstWord(value));

/** Any word as long as a file extension. */
const isFormat = (value: string): boolean =>
  firstWord(value).length <= 5 || ['animated', 'image', 'video'].includes(firstWord(value));

/** By code: whether a value that begins with a letter is valid. */
const VALUES: ReadonlyMap<string, (value: string) => boolean> = new Map([
  ...words('a af ar bo br dl dn dpr du eo fps h ki o q r so vs w x y z').map(
    (code) => [code, isNumeric] as const,
  ),
  ['b', isColor],
  ['c', isCrop],
  ['co', isColor],
  ['e', isEffect],
  ['f', isFormat],
]);
