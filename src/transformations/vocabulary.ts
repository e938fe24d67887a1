import { LAYER_PUBLIC_ID_ALLOWED } from './asset-layer.js';
import { background, border, color } from './color.js';
import { effect } from './effects.js';
import { FLAGS_ALLOWED } from './flags.js';
import { anyOf, type Grammar, isAbsent, listOf, matching, number, oneOf, spaced, words } from './grammar.js';
import { gravity } from './gravity.js';
import { NearNames } from '../domain/near-names.js';
import { TEXT_LAYER_ALLOWED } from './text-layer.js';

/**
 * The vocabulary of steps: every parameter that a token may use, once. A new one is one entry here; the mapper, the
 * documentation, the playground and the reader of chains use the table.
 * Keys are the SDK's own; codes and ranges are from Cloudinary's Transformation URL API reference; the spelling of
 * values is that of `generate_transformation_string` in node_modules/cloudinary/lib/utils/index.js.
 */
interface ParameterBase {
  /** The SDK's name, snake_case. */
  readonly key: string;
  /** The short code in the URL. */
  readonly code: string;
  /** A short description for people. */
  readonly help: string;
  /** Completes "Allowed: …" for people. */
  readonly allowed: string;
  /** The page of Cloudinary's reference. */
  readonly source: string;
}

/** A parameter whose value is in the token. */
interface ValueParameter extends ParameterBase {
  readonly kind: 'value';
  readonly grammar: Grammar;
}

/** A layer: the id of an overlay row, or a text. */
interface LayerParameter extends ParameterBase {
  readonly kind: 'layer';
}

/** The image shown if there is none: the id of an overlay row. */
interface AssetParameter extends ParameterBase {
  readonly kind: 'asset';
}

/** Flags; some act only on a layer: see flags.ts. */
interface FlagsParameter extends ParameterBase {
  readonly kind: 'flags';
}

/** The SDK's shorthand for `width` and `height`; it has no code of its own, and a chain is never read back to it. */
interface SizeParameter extends ParameterBase {
  readonly kind: 'size';
  readonly grammar: Grammar;
}

/** An entry of the table; `kind` determines the source of its value. */
export type Parameter = ValueParameter | LayerParameter | AssetParameter | FlagsParameter | SizeParameter;

const REFERENCE = 'https://cloudinary.com/documentation/transformation_reference';

const value = (
  key: string,
  code: string,
  help: string,
  grammar: Grammar,
  anchor: string,
): ValueParameter => ({
  kind: 'value',
  key,
  code,
  help,
  grammar,
  allowed: grammar.allowed,
  source: `${REFERENCE}#${anchor}`,
});

/** Pixels of a side: JPEG, the widest of the common formats, is limited to 65,500. */
const LONGEST_SIDE = 65500;
const WHOLE_NUMBER = number({ integer: [1, LONGEST_SIDE] });

/**
 * The largest fraction: 1,000 %, a side of 19,200 pixels after the default base chain. Larger values are mistakes for
 * pixels: `37.5` is half of 75 pixels, and would be 3,750 %, which Cloudinary refuses for its size.
 */
const LARGEST_SHARE = 10;

/** A side: pixels, or a fraction with a decimal point (0.5 is half, 1.0 the whole). */
const side = number({
  integer: [1, LONGEST_SIDE],
  decimal: [0.0001, LARGEST_SHARE],
  isFraction: true,
  expressions: true,
});
/** An offset: pixels, or a fraction; negative is left or up. */
const offset = number({
  integer: [-LONGEST_SIDE, LONGEST_SIDE],
  decimal: [-LARGEST_SHARE, LARGEST_SHARE],
  isFraction: true,
  expressions: true,
});
const corner = number({ integer: [0, LONGEST_SIDE], expressions: true });
const size: Grammar = {
  ...matching(/^\d{1,5}x\d{1,5}$/, `\`<width>x<height>\`, each from 1 to ${LONGEST_SIDE} pixels`, [
    '640x480',
  ]),
  write(sides) {
    const written = typeof sides === 'string' ? sides.split('x').map((each) => WHOLE_NUMBER.write(each)) : [];
    return written.length === 2 && !written.includes(undefined) ? written.join('x') : undefined;
  },
};
export const CROPS = words(`
  auto auto_pad crop fill fill_pad fit imagga_crop imagga_scale lfill limit lpad mfit mpad pad
  scale thumb
`);
/** Formats of a delivered image. */
export const FORMATS = words(`
  auto auto:image auto:animated ai avif bmp bpg djvu eps eps3 ept flif gif hdp heic heif hpx ico
  jp2 jpc jpe jpeg jpg jxl jxr miff pdf png ps psd svg tga tif tiff wdp webp
`);
/** The name of a named transformation. */
export const TRANSFORMATION_NAME = spaced(
  matching(
    /^[A-Za-z0-9_-](?:[A-Za-z0-9_-]|%20){0,99}$/,
    'names of named transformations, of letters, digits, `_`, `-` and spaces',
    ['passport_photo', 'media_lib-thumb', 'media%20lib%20thumb'],
  ),
);
/** A layer or an embedded file of a PSD file. */
const layerName = '[A-Za-z0-9](?:[A-Za-z0-9_.-]|%20){0,60}';

/** Every parameter, sorted by key. */
export const PARAMETERS: readonly Parameter[] = [
  value(
    'angle',
    'a',
    'Rotation in degrees clockwise, or mirroring, or several joined by a dot',
    anyOf(
      listOf(
        number({
          integer: [-360, 360],
          words: ['auto_right', 'auto_left', 'ignore', 'vflip', 'hflip', 'exif'],
        }),
        '.',
        6,
      ),
      number({ expressions: true }),
    ),
    'a_angle',
  ),
  value(
    'aspect_ratio',
    'ar',
    'Aspect ratio of width to height',
    anyOf(
      number({ integer: [1, 100], decimal: [0.01, 100], expressions: true }),
      matching(
        /^(?!0+(?:\.0+)?:|.*:0+(?:\.0+)?$)\d{1,5}(?:\.\d{1,4})?:\d{1,5}(?:\.\d{1,4})?$/,
        '`<width>:<height>`, neither of them 0',
        ['16:9', '1:1', '1.91:1'],
      ),
    ),
    'ar_aspect_ratio',
  ),
  value('background', 'b', 'Fill of transparent or padded areas', background, 'b_background'),
  value('border', 'bo', 'A border around the image', border, 'bo_border'),
  value('color', 'co', 'Colour of text, and of effects that tint', color, 'co_color'),
  // `icc:<public id>` is excluded: it refers to another asset by name.
  value(
    'color_space',
    'cs',
    'Colour space of the file',
    oneOf('srgb', 'sRGB', 'srgb:truecolor', 'tinysrgb', 'cmyk', 'no_cmyk', 'keep_cmyk', 'copy'),
    'cs_color_space',
  ),
  value('crop', 'c', 'How the image is fitted to its width and height', oneOf(...CROPS), 'c_crop_resize'),
  {
    kind: 'asset',
    key: 'default_image',
    code: 'd',
    help: 'Shown if the image does not exist',
    allowed: `the id (a UUID) of an overlay whose delivery type is \`upload\`; ${LAYER_PUBLIC_ID_ALLOWED}`,
    source: `${REFERENCE}#d_default_image`,
  },
  value('delay', 'dl', 'Milliseconds between the frames of an animation', WHOLE_NUMBER, 'dl_delay'),
  value('density', 'dn', 'Dots per inch', number({ integer: [1, 10000], words: ['idn'] }), 'dn_density'),
  value(
    'dpr',
    'dpr',
    'Device pixel ratio',
    number({ integer: [1, 10], decimal: [0.1, 10], words: ['auto'] }),
    'dpr_dpr',
  ),
  value('effect', 'e', 'Changes colours, sharpness or shape', effect, 'e_effect'),
  value('fetch_format', 'f', 'Format of the file', oneOf(...FORMATS), 'f_format'),
  {
    kind: 'flags',
    key: 'flags',
    code: 'fl',
    help: 'Switches; some act only on a layer',
    allowed: FLAGS_ALLOWED,
    source: `${REFERENCE}#fl_flag`,
  },
  value(
    'fps',
    'fps',
    'Frames per second of an animation, or minimum and maximum',
    anyOf(
      listOf(number({ integer: [1, 240] }), '-', 2),
      matching(/^(?:[1-9]\d?|1\d\d|2[0-3]\d|240)-$/, '`<minimum>-`', ['20-']),
    ),
    'fps_fps',
  ),
  value('gravity', 'g', 'Focus of a crop, or position of a layer', gravity, 'g_gravity'),
  value('height', 'h', 'Of the image or the layer: pixels, or a fraction such as 0.5', side, 'h_height'),
  value(
    'opacity',
    'o',
    'Per cent; 0 is invisible',
    number({ integer: [0, 100], expressions: true }),
    'o_opacity',
  ),
  {
    kind: 'layer',
    key: 'overlay',
    code: 'l',
    help: 'An image or text on top',
    allowed: `the id (a UUID) of an overlay; or ${TEXT_LAYER_ALLOWED}`,
    source: `${REFERENCE}#l_layer`,
  },
  value(
    'page',
    'pg',
    'Page of a PDF, layer of a PSD, or frame of an animation',
    anyOf(
      WHOLE_NUMBER,
      matching(
        /^[1-9]\d{0,4}(?:-(?:[1-9]\d{0,4})?)?(?:;[1-9]\d{0,4}(?:-(?:[1-9]\d{0,4})?)?){0,31}$/,
        'pages such as `2-5;7;10-`',
        ['3;5;7', '3-5', '5-', '2-5;7;10'],
      ),
      spaced(
        matching(
          new RegExp(
            `^(?:embedded:\\d{1,5}(?:;\\d{1,5}){0,9}|(?:embedded:)?name:${layerName}(?:;${layerName}){0,9})$`,
          ),
          '`name:<layer>;…`, `embedded:<index>;…` or `embedded:name:<file>;…`, up to 10 of them',
          ['embedded:8;5', 'name:record_cover;Shadow', 'embedded:name:skyline.jpg;bg-3242040_1920.jpg'],
        ),
      ),
    ),
    'pg_page_or_file_layer',
  ),
  value(
    'prefix',
    'p',
    'Class names in an SVG sprite',
    matching(/^[A-Za-z0-9_-]{1,64}$/, 'letters, digits, `_` and `-`', ['p', 'icon_']),
    'p_prefix',
  ),
  value(
    'quality',
    'q',
    'Compression quality: 1 is smallest, 100 is best',
    anyOf(
      number({ integer: [1, 100], words: ['auto', 'jpegmini'] }),
      matching(/^(?:[1-9]\d?|100):(?:420|444)$/, '`<1 to 100>:420` or `:444`', ['60:420', '100:444']),
      matching(
        /^auto:(?:(?:best|good|eco|low)(?::(?:sensitive|420|444))?|sensitive)$/,
        '`auto:` best, good, eco or low, `:sensitive`, `:420` or `:444`',
        ['auto:best', 'auto:low:444', 'auto:sensitive'],
      ),
      matching(/^jpegmini:[0-2]$/, '`jpegmini:` 0, 1 or 2', ['jpegmini:1']),
    ),
    'q_quality',
  ),
  value(
    'radius',
    'r',
    'Corner radius in pixels; max gives an ellipse',
    anyOf(oneOf('max'), listOf(corner, ':', 4)),
    'r_round_corners',
  ),
  {
    kind: 'size',
    key: 'size',
    code: '',
    help: 'Width and height at once',
    grammar: size,
    allowed: size.allowed,
    source: 'generate_transformation_string in node_modules/cloudinary/lib/utils/index.js',
  },
  value(
    'transformation',
    't',
    'Named transformations of the account',
    spaced(listOf(TRANSFORMATION_NAME, '.', 10)),
    't_named_transformation',
  ),
  {
    kind: 'layer',
    key: 'underlay',
    code: 'u',
    help: 'An image or text beneath',
    allowed: `the id (a UUID) of an overlay; or ${TEXT_LAYER_ALLOWED}`,
    source: `${REFERENCE}#u_underlay`,
  },
  value(
    'width',
    'w',
    'Of the image or the layer: pixels, or a fraction such as 0.5',
    anyOf(
      side,
      matching(
        /^auto(?::\d{1,5})?(?::breakpoints(?:_\d{1,5}){0,4}(?::json)?)?(?::\d{1,5})?$/,
        '`auto`, with a rounding step, breakpoints or a fallback after colons',
        ['auto', 'auto:100', 'auto:100:400', 'auto:breakpoints', 'auto:breakpoints_200_1920_30_15:json'],
      ),
    ),
    'w_width',
  ),
  value(
    'x',
    'x',
    'From the left, or from the position of gravity: pixels, or a fraction',
    offset,
    'x_y_coordinates',
  ),
  value(
    'y',
    'y',
    'From the top, or from the position of gravity: pixels, or a fraction',
    offset,
    'x_y_coordinates',
  ),
  value(
    'zoom',
    'z',
    'Of a crop around a face: 1 is the tightest',
    number({ integer: [1, 100], decimal: [0.01, 100], expressions: true }),
    'z_zoom',
  ),
];

/** A parameter by its key. */
export const PARAMETER_BY_KEY: ReadonlyMap<string, Parameter> = new Map(
  PARAMETERS.map((parameter) => [parameter.key, parameter]),
);

/** A parameter by its short code: the same table, for reading a chain. */
export const PARAMETER_BY_CODE: ReadonlyMap<string, Parameter> = new Map(
  PARAMETERS.flatMap((parameter) => (parameter.code === '' ? [] : [[parameter.code, parameter] as const])),
);

/**
 * Whether a parameter is ignored because of its empty value. A layer never is: a watermark that a backend failed to
 * fill in must not be silently dropped.
 */
export const hasNoValue = ({ kind }: Parameter, value: unknown): boolean =>
  value === undefined || (kind !== 'layer' && isAbsent(value));

const NEVER = 'must not come from a token';

const IGNORED_FOR: readonly (readonly [reason: string, keys: readonly string[]])[] = [
  [
    'applies to video only',
    words(`
      audio_codec audio_frequency bit_rate duration end_offset keyframe_interval offset start_offset
      streaming_profile video_codec video_sampling
    `),
  ],
  [NEVER, words('custom_function custom_pre_function else end_if if raw_transformation variables')],
  [
    'determines the URL, which a token cannot',
    words(`
      api_key api_secret auth_token cdn_subdomain cloud_name cname force_version private_cdn public_id
      resource_type secure secure_distribution sign_url type url_suffix use_root_path version
    `),
  ],
  ['is the extension of the URL, which the issuer defines; `fetch_format` converts', ['format']],
  ['would add another step; write {"width":"auto","crop":"limit"}', ['responsive_width']],
];

/** Keys of the SDK that a step may not use: they are ignored. */
export const IGNORED_KEYS: ReadonlyMap<string, string> = new Map(
  IGNORED_FOR.flatMap(([reason, keys]) => keys.map((key) => [key, reason] as const)),
);

/** The key of a step that uses one of the policy's presets. */
export const PRESET_KEY = 'preset';

const nearKeys = new NearNames([...PARAMETER_BY_KEY.keys(), PRESET_KEY], IGNORED_KEYS.keys());

/** The key that an unknown key of a step was probably meant to be; null where it resembles none and is not a short code. */
export function nearStepKey(key: string): string | null {
  // `$width` is a variable of the SDK, and not a misspelled `width`.
  if (key.trimStart().startsWith('$')) return null;
  const near = nearKeys.find(key);
  if (near !== null || PARAMETER_BY_KEY.has(key)) return near;
  return PARAMETER_BY_CODE.get(key.trim().toLowerCase())?.key ?? null;
}

/** Why an unknown key of a step has no effect: a short phrase without a subject. */
export function reasonToIgnore(key: string): string {
  return IGNORED_KEYS.get(key) ?? (key.startsWith('$') ? NEVER : 'unknown parameter');
}
