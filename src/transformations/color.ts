import { anyOf, type Grammar, isPlainObject, matching, number, oneOf } from './grammar.js';

const HEX = '(?:[0-9a-fA-F]{3,4}|[0-9a-fA-F]{6}|[0-9a-fA-F]{8})';
/** CSS and X11 names: `red`, `SaddleBrown`, `gray50`. Cloudinary answers 400 for a name it does not know. */
const NAME = '[a-zA-Z]{3,24}[0-9]{0,3}';

const written = matching(
  new RegExp(`^(?:${NAME}|rgb:${HEX})$`),
  'a colour name, `#` and 3, 4, 6 or 8 hex digits, or `rgb:` and the same digits',
  ['red', 'SaddleBrown', 'gray50', 'transparent', 'rgb:fff', 'rgb:FEB61FC2'],
);

/** A colour: a name, `rgb:…`, or `#…`, which the SDK writes `rgb:…`. */
export const color: Grammar = {
  ...written,
  write: (value) => written.write(typeof value === 'string' ? value.replace(/^#/, 'rgb:') : value),
};

/** A colour inside an effect: a name or bare hex digits. */
export const bareColor = matching(new RegExp(`^(?:${NAME}|${HEX})$`), 'a colour name or hex digits', [
  'blue',
  '0f0',
  '89b8ed',
]);

const solidBorder = matching(
  new RegExp(`^[1-9][0-9]{0,3}px_solid_(?:${NAME}|rgb:${HEX})$`),
  '`<pixels>px_solid_<colour>`, 1 to 9999 pixels, a name or `rgb:` hex digits; or an object {width, color}',
  ['4px_solid_black', '40px_solid_rgb:00390b60'],
);
const borderWidth = number({ integer: [1, 9999] });

/** A border: the SDK's text, or its object, whose parts default to 2 pixels of black. */
export const border: Grammar = {
  ...solidBorder,
  write(value) {
    if (!isPlainObject(value)) {
      return solidBorder.write(value);
    }
    const { width = 2, color: shade = 'black', ...rest } = value;
    const pixels = borderWidth.write(width);
    const paint = color.write(shade);
    return Object.keys(rest).length > 0 || pixels === undefined || paint === undefined
      ? undefined
      : `${pixels}px_solid_${paint}`;
  },
};

const PALETTE_COLOR = `(?:${NAME}|${HEX})`;

/** The background: a colour, or one that Cloudinary finds by itself. */
export const background = anyOf(
  color,
  matching(
    new RegExp(
      '^auto(?::(?:border|predominant)(?:_contrast|_gradient|_gradient_contrast)?)?(?::[24])?' +
        `(?::(?:horizontal|vertical|diagonal_desc|diagonal_asc))?(?::palette(?:_${PALETTE_COLOR}){1,8})?$`,
    ),
    '`auto`, with a mode, 2 or 4 colours, a direction and a palette after it as in Cloudinary’s reference',
    [
      'auto',
      'auto:predominant',
      'auto:border_gradient:2:diagonal_desc',
      'auto:predominant_gradient:4:palette_red_0f0',
    ],
  ),
  matching(
    /^blurred(?::(?:[1-9]\d{0,2}|1\d{3}|2000)(?::-?\d{1,2}|:100|:-[12]\d{2}|:-300)?)?$/,
    '`blurred[:<intensity 1 to 2000>[:<brightness -300 to 100>]]`',
    ['blurred', 'blurred:400', 'blurred:400:15'],
  ),
  oneOf('gen_fill'),
  matching(/^gen_fill:seed_\d{1,9}$/, '`gen_fill[:seed_<number>]`', ['gen_fill:seed_3']),
);
