import { anyOf, type Grammar, matching, number, oneOf, spaced, words } from './grammar.js';
import { isObject } from '../domain/is-object.js';
import { PHRASE } from './prompt.js';

/** CSS's named colours, which Cloudinary accepts in any case, and its two words for no colour. */
export const COLOR_NAMES: readonly string[] = words(`
  aliceblue antiquewhite aqua aquamarine azure beige bisque black blanchedalmond blue blueviolet
  brown burlywood cadetblue chartreuse chocolate coral cornflowerblue cornsilk crimson cyan
  darkblue darkcyan darkgoldenrod darkgray darkgreen darkgrey darkkhaki darkmagenta darkolivegreen
  darkorange darkorchid darkred darksalmon darkseagreen darkslateblue darkslategray darkslategrey
  darkturquoise darkviolet deeppink deepskyblue dimgray dimgrey dodgerblue firebrick floralwhite
  forestgreen fuchsia gainsboro ghostwhite gold goldenrod gray green greenyellow grey honeydew
  hotpink indianred indigo ivory khaki lavender lavenderblush lawngreen lemonchiffon lightblue
  lightcoral lightcyan lightgoldenrodyellow lightgray lightgreen lightgrey lightpink lightsalmon
  lightseagreen lightskyblue lightslategray lightslategrey lightsteelblue lightyellow lime
  limegreen linen magenta maroon mediumaquamarine mediumblue mediumorchid mediumpurple
  mediumseagreen mediumslateblue mediumspringgreen mediumturquoise mediumvioletred midnightblue
  mintcream mistyrose moccasin navajowhite navy oldlace olive olivedrab orange orangered orchid
  palegoldenrod palegreen paleturquoise palevioletred papayawhip peachpuff peru pink plum
  powderblue purple rebeccapurple red rosybrown royalblue saddlebrown salmon sandybrown seagreen
  seashell sienna silver skyblue slateblue slategray slategrey snow springgreen steelblue tan teal
  thistle tomato turquoise violet wheat white whitesmoke yellow yellowgreen transparent none
`);

const names = new Set(COLOR_NAMES);
const name: Grammar = {
  ...oneOf(...COLOR_NAMES),
  allowed: 'a CSS colour name',
  write: (value) => (typeof value === 'string' && names.has(value.toLowerCase()) ? value : undefined),
};

const HEX = '(?:[0-9a-fA-F]{3,4}|[0-9a-fA-F]{6}|[0-9a-fA-F]{8})';

const prefixed = anyOf(
  name,
  matching(new RegExp(`^rgb:${HEX}$`), '`#` or `rgb:` with 3, 4, 6 or 8 hex digits', [
    'rgb:fff',
    'rgb:FEB61FC2',
  ]),
);

/** A colour: a name, `rgb:…`, or `#…`, which the SDK writes `rgb:…`. */
export const color: Grammar = {
  ...prefixed,
  write: (value) => prefixed.write(typeof value === 'string' ? value.replace(/^#/, 'rgb:') : value),
};

/** A colour within a value: a name or plain hex digits. */
export const bareColor = anyOf(name, matching(new RegExp(`^${HEX}$`), 'hex digits', ['0f0', '89b8ed']));

const BORDER = /^([1-9]\d{0,3})px_solid_([^_]+)$/;
const pixels = number({ integer: [1, 9999] });

/** A border: the SDK's text, or its object, with the defaults of 2 pixels and black. */
export const border: Grammar = {
  ...matching(
    BORDER,
    '`<1 to 9999>px_solid_<colour>`, a CSS name or `rgb:` with hex digits; or an object {width, color}',
    ['4px_solid_black', '40px_solid_rgb:00390b60'],
  ),
  write(value) {
    if (typeof value === 'string') {
      // The SDK converts `#` into `rgb:` only in an object.
      return prefixed.write(BORDER.exec(value)?.[2]) === undefined ? undefined : value;
    }
    if (!isObject(value)) {
      return undefined;
    }
    const { width, color: shade, ...rest } = value;
    const [thickness, paint] = [pixels.write(width ?? 2), color.write(shade ?? 'black')];
    return Object.keys(rest).length > 0 || thickness === undefined || paint === undefined
      ? undefined
      : `${thickness}px_solid_${paint}`;
  },
};

const AUTO =
  /^auto(?::(?:border|predominant)(?:_contrast|_gradient|_gradient_contrast)?)?(?::[24])?(?::(?:horizontal|vertical|diagonal_desc|diagonal_asc))?(?::palette_([A-Za-z0-9_]{1,200}))?$/;
const automatic: Grammar = {
  ...matching(
    AUTO,
    '`auto[:<mode>][:<2 or 4>][:<direction>][:palette_<colour>_…]`, modes border or predominant with _contrast, ' +
      '_gradient or _gradient_contrast, directions horizontal, vertical, diagonal_desc or diagonal_asc',
    [
      'auto',
      'auto:predominant',
      'auto:border_gradient:2:diagonal_desc',
      'auto:predominant_gradient:4:palette_red_0f0',
    ],
  ),
  write(value) {
    const found = typeof value === 'string' ? AUTO.exec(value) : null;
    return found && (found[1]?.split('_') ?? []).every((each) => bareColor.write(each) !== undefined)
      ? found[0]
      : undefined;
  },
};

const FILLING = `(?:prompt_${PHRASE}|ignore-foreground_(?:true|false)|seed_\\d{1,9})`;
/** Padding that generative AI fills; its parts in any order, each once. */
const generativeFill = spaced(
  matching(
    new RegExp(
      `^gen_fill(?!.*[:;](prompt|ignore-foreground|seed)_.*;\\1_)(?::${FILLING}(?:;${FILLING}){0,2})?$`,
    ),
    '`gen_fill[:prompt_<words>][;ignore-foreground_<true or false>][;seed_<number>]`, the first part after a colon, ' +
      'the prompt of letters, digits, `.`, `-` and spaces',
    ['gen_fill', 'gen_fill:seed_3', 'gen_fill:prompt_mug%20of%20coffee;ignore-foreground_true;seed_3'],
  ),
);

/** The background: a colour, or one that Cloudinary chooses. */
export const background = anyOf(
  color,
  automatic,
  matching(
    /^blurred(?::(?:[1-9]\d{0,2}|1\d{3}|2000)(?::(?:-?\d{1,2}|100|-[12]\d{2}|-300))?)?$/,
    '`blurred[:<1 to 2000>[:<-300 to 100>]]`',
    ['blurred', 'blurred:400', 'blurred:400:15'],
  ),
  generativeFill,
);
