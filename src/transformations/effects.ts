import { bareColor } from './color.js';
import { REWRITTEN_WORDS } from './expression.js';
import { anyOf, type Grammar, matching, number, oneOf, type Range, words } from './grammar.js';
import { isObject } from '../domain/is-object.js';
import { PHRASE } from './prompt.js';

/** Arguments in order, separated by `:`. One that does not match its position is tried for the next one. */
interface OrderedForm {
  readonly kind: 'ordered';
  /** The number of leading arguments that are required, each in its position. */
  readonly required: number;
  readonly args: readonly Grammar[];
}

/** Arguments by name, in any order, each once: `type_linear;level_50`. */
interface NamedForm {
  readonly kind: 'named';
  /** Between arguments. */
  readonly separator: ';' | ':';
  /** Between name and value. */
  readonly joint: '_' | ':';
  readonly required: readonly string[];
  readonly args: ReadonlyMap<string, Grammar>;
}

/** One syntax of an effect's arguments. */
export type EffectForm = OrderedForm | NamedForm;

const ordered = (required: number, ...args: readonly Grammar[]): OrderedForm => ({
  kind: 'ordered',
  required,
  args,
});

const named = (
  args: Readonly<Record<string, Grammar>>,
  required: readonly string[] = [],
  separator: ';' | ':' = ';',
  joint: '_' | ':' = '_',
): NamedForm => ({ kind: 'named', separator, joint, required, args: new Map(Object.entries(args)) });

const whole = (...range: Range): Grammar => number({ integer: range });
const real = (min: number, max: number): Grammar =>
  number({ integer: [Math.ceil(min), Math.floor(max)], decimal: [min, max] });
const plain: readonly EffectForm[] = [ordered(0)];
const level = (...range: Range): readonly EffectForm[] => [ordered(0, whole(...range))];
const times = (count: number, ...grammars: readonly Grammar[]): readonly Grammar[] =>
  Array.from({ length: count }, () => grammars).flat();

const truth = oneOf('true', 'false');
const coordinate = real(-65500, 65500);
const seed = whole(0, 9999999);

const PROMPT_ALLOWED =
  'words of letters, digits, `.`, `-`, with `%20` between them, and none that the SDK rewrites (width, height, tags, …)';
/** A description for generative effects. */
const prompt = matching(new RegExp(`^${PHRASE}$`), PROMPT_ALLOWED, ['person', 'the%20big%20red%20hat']);
const prompts = matching(
  new RegExp(`^(?:(?:text:)?${PHRASE}|\\(${PHRASE}(?:;${PHRASE}){0,9}\\))$`),
  `${PROMPT_ALLOWED}; or several in parentheses, separated by \`;\``,
  ['phone', 'text:hat', '(keyboard;phone;mouse)'],
);
const AREA = String.raw`\(x_\d{1,5};y_\d{1,5};w_\d{1,5};h_\d{1,5}\)`;
const areas = matching(
  new RegExp(`^(?:${AREA}|\\(${AREA}(?:;${AREA}){0,9}\\))$`),
  '(x_<n>;y_<n>;w_<n>;h_<n>), or several in parentheses, separated by `;`',
  ['(x_300;y_200;w_1900;h_3500)', '((x_1;y_2;w_3;h_4);(x_5;y_6;w_7;h_8))'],
);
const VIEW_PART = String.raw`(?:g_[a-z]+(?:_[a-z]+)?|zoom_[1-8](?:\.\d{1,3})?|[xy]_\d{1,5}(?:\.\d{1,3})?)`;
const view = matching(
  new RegExp(`^\\(${VIEW_PART}(?:;${VIEW_PART}){0,3}\\)$`),
  '(g_<gravity>;zoom_<1 to 8>;x_<n>;y_<n>), each part optional',
  ['(zoom_2;x_300;y_100)', '(g_north_west;zoom_2.2)'],
);

/**
 * Cloudinary's image effects with the ranges of its reference
 * (https://cloudinary.com/documentation/transformation_reference#e_effect). Excluded: effects of video and audio, and
 * `swap_image`, which refers to another asset by name.
 */
export const EFFECTS: ReadonlyMap<string, readonly EffectForm[]> = new Map<string, readonly EffectForm[]>([
  ['adv_redeye', plain],
  ['anti_removal', level(1, 100)],
  [
    'art',
    [
      ordered(
        1,
        oneOf(
          ...words(`
          al_dente athena audrey aurora daguerre eucalyptus fes frost hairspray hokusai incognito linen
          peacock primavera quartz red_rock refresh sizzle sonnet ukulele zorro
        `),
        ),
      ),
    ],
  ],
  ['assist_colorblind', [ordered(0, number({ integer: [1, 100], words: ['xray'] }))]],
  ['auto_brightness', level(0, 100)],
  ['auto_color', level(0, 100)],
  ['auto_contrast', level(0, 100)],
  ['auto_enhance', [ordered(0), named({ 'enhance-colors': truth })]],
  ['background_removal', [ordered(0), named({ fineedges: oneOf('y', 'n') })]],
  ['bgremoval', [ordered(0, oneOf('screen'), oneOf('rgb'), bareColor)]],
  ['blackwhite', level(0, 100)],
  ['blue', level(-100, 100)],
  ['blur', level(1, 2000)],
  ['blur_faces', level(1, 2000)],
  ['blur_region', level(1, 2000)],
  ['brightness', level(-99, 100)],
  ['brightness_hsb', level(-99, 100)],
  [
    'camera',
    [
      ordered(0),
      named({
        up: whole(-360, 360),
        right: whole(-360, 360),
        zoom: real(0.2, 5),
        env: oneOf(
          'neutral',
          'spruit_sunrise',
          'whipple_creek',
          'music_hall',
          'pillars',
          'aircraft_workshop',
          'none',
        ),
        exposure: real(0, 2),
        frames: whole(2, 36),
      }),
    ],
  ],
  ['cartoonify', [ordered(0, whole(0, 100), number({ integer: [0, 100], words: ['bw'] }))]],
  ['colorize', level(0, 100)],
  [
    'contrast',
    [
      ordered(0, whole(-100, 100), oneOf('sigmoidal')),
      ordered(2, whole(1, 200), oneOf('linear')),
      named({ level: whole(-100, 100), type: oneOf('sigmoidal') }),
      named({ level: whole(1, 200), type: oneOf('linear') }, ['type']),
    ],
  ],
  ['cut_out', plain],
  ['displace', plain],
  [
    'distort',
    [ordered(8, ...times(8, coordinate)), ordered(2, oneOf('arc'), anyOf(real(-360, -1), real(1, 360)))],
  ],
  [
    'dropshadow',
    [ordered(0), named({ azimuth: whole(0, 360), elevation: whole(0, 90), spread: whole(0, 100) })],
  ],
  ['enhance', plain],
  [
    'extract',
    [
      named(
        {
          prompt: prompts,
          multiple: truth,
          mode: oneOf('content', 'mask'),
          invert: truth,
          'preserve-alpha': truth,
        },
        ['prompt'],
      ),
    ],
  ],
  ['fade', level(-60000, 60000)],
  ['fill_light', [ordered(0, whole(0, 100), whole(-100, 100))]],
  ['gamma', level(-50, 150)],
  ['gen_background_replace', [ordered(0), named({ prompt, seed })]],
  [
    'gen_recolor',
    [
      named(
        {
          prompt: prompts,
          'to-color': bareColor,
          'apply-to-tier': matching(/^(?:\d|\(\d(?:;\d){0,9}\))$/, '(0;1;…)', ['1', '(2;3;4)']),
          multiple: truth,
        },
        ['prompt', 'to-color'],
      ),
    ],
  ],
  [
    'gen_remove',
    [named({ prompt: prompts, multiple: truth, 'remove-shadow': truth }), named({ region: areas })],
  ],
  [
    'gen_replace',
    [named({ from: prompt, to: prompt, 'preserve-geometry': truth, multiple: truth }, ['from', 'to'])],
  ],
  ['gen_restore', plain],
  ['gradient_fade', [ordered(0, oneOf('symmetric', 'symmetric_pad'), whole(0, 100))]],
  ['grayscale', plain],
  ['green', level(-100, 100)],
  ['hue', level(-100, 100)],
  ['improve', [ordered(0, oneOf('outdoor', 'indoor'), whole(0, 100))]],
  ['light', [ordered(0), named({ shadowintensity: whole(0, 100) })]],
  ['loop', level(0, 1000)],
  ['make_transparent', level(0, 100)],
  ['mask', plain],
  [
    'morphology',
    [
      ordered(0),
      named({
        method: oneOf('dilate', 'erode', 'convolve'),
        iterations: whole(1, 5),
        kernel: oneOf('octagon', 'diamond', 'square', 'disk', 'plus', 'cross', 'ring'),
        radius: real(0, 100),
      }),
    ],
  ],
  ['multiply', plain],
  ['negate', plain],
  ['noise', level(0, 100)],
  ['oil_paint', level(0, 100)],
  ['opacity_threshold', level(1, 100)],
  ['ordered_dither', level(0, 18)],
  ['outline', [ordered(0, oneOf('inner', 'inner_fill', 'outer', 'fill'), whole(1, 100), whole(1, 200))]],
  ['overlay', plain],
  ['pixelate', level(1, 200)],
  ['pixelate_faces', level(1, 200)],
  ['pixelate_region', level(1, 200)],
  ['recolor', [ordered(9, ...times(9, real(-10, 10))), ordered(16, ...times(16, real(-10, 10)))]],
  ['red', level(-100, 100)],
  ['redeye', plain],
  ['replace_color', [ordered(1, bareColor, whole(0, 100), bareColor)]],
  ['saturation', level(-100, 100)],
  ['screen', plain],
  ['sepia', level(1, 100)],
  ['shadow', level(0, 100)],
  ['sharpen', level(1, 2000)],
  ['shear', [ordered(2, ...times(2, real(-359, 359)))]],
  [
    'simulate_colorblind',
    [
      ordered(
        0,
        oneOf(
          ...words(`
          deuteranopia protanopia tritanopia tritanomaly deuteranomaly cone_monochromacy rod_monochromacy
        `),
        ),
      ),
    ],
  ],
  ['style_transfer', [ordered(0, oneOf('preserve_color'), whole(1, 100))]],
  [
    'theme',
    [
      named({ color: bareColor, photosensitivity: whole(0, 200) }, ['color'], ':'),
      ordered(1, bareColor, whole(0, 200)),
    ],
  ],
  [
    'tint',
    [
      ordered(
        0,
        oneOf('equalize'),
        real(0, 100),
        ...times(10, bareColor, matching(/^(?:\d{1,2}|100)p$/, '0p to 100p', ['0p', '50p', '100p'])),
      ),
    ],
  ],
  ['trim', [ordered(0, whole(0, 100), bareColor)]],
  ['unsharp_mask', level(1, 2000)],
  ['upscale', plain],
  [
    'vectorize',
    [
      ordered(
        0,
        whole(2, 30),
        number({ integer: [0, 1000], decimal: [0, 1] }),
        number({ integer: [0, 100], decimal: [0, 1] }),
        whole(0, 100),
        whole(0, 100),
      ),
      named(
        {
          colors: whole(2, 30),
          detail: number({ integer: [0, 1000], decimal: [0, 1] }),
          despeckle: number({ integer: [0, 100], decimal: [0, 1] }),
          paths: whole(0, 100),
          corners: whole(0, 100),
        },
        [],
        ':',
        ':',
      ),
    ],
  ],
  ['vibrance', level(-100, 100)],
  [
    'viesus_correct',
    [
      ordered(
        0,
        oneOf('no_redeye'),
        matching(/^skin_saturation(?:_-?(?:\d{1,2}|100))?$/, 'skin_saturation[_<-100 to 100>]', [
          'skin_saturation',
          'skin_saturation_20',
        ]),
      ),
    ],
  ],
  ['vignette', level(0, 100)],
  [
    'zoompan',
    [
      ordered(0),
      named({
        mode: oneOf('ztc', 'ztl', 'ztr', 'ofc', 'ofl', 'ofr', 'plr', 'prl'),
        maxzoom: real(1.1, 8),
        du: real(1, 30),
        fps: whole(5, 60),
        from: view,
        to: view,
      }),
    ],
  ],
]);

const LONGEST_EFFECT = 500;

function fitsOrdered({ required, args }: OrderedForm, values: readonly string[]): boolean {
  let place = 0;
  for (const [index, value] of values.entries()) {
    if (index >= required) {
      while (place < args.length && args[place]?.write(value) === undefined) {
        place += 1;
      }
    }
    if (args[place]?.write(value) === undefined) {
      return false;
    }
    place += 1;
  }
  return values.length >= required;
}

/** Splits into `name_value`; a `;` in parentheses separates the items of one value. */
function pieces({ separator, joint }: NamedForm, text: string): readonly (readonly [string, string])[] {
  if (separator === joint) {
    const flat = text.split(separator);
    return flat.flatMap((name, index) => (index % 2 === 0 ? [[name, flat[index + 1] ?? ''] as const] : []));
  }
  const parts = separator === ';' ? text.split(/;(?![^(]*\))(?!\()/) : text.split(separator);
  return parts.map((part) => {
    const at = part.indexOf(joint);
    return [at < 0 ? part : part.slice(0, at), at < 0 ? '' : part.slice(at + 1)] as const;
  });
}

function fitsNamed(form: NamedForm, text: string): boolean {
  const seen = new Set<string>();
  for (const [name, value] of pieces(form, text)) {
    if (seen.has(name) || form.args.get(name)?.write(value) === undefined) {
      return false;
    }
    seen.add(name);
  }
  return form.required.every((name) => seen.has(name));
}

const describe = (form: EffectForm): string =>
  form.kind === 'ordered'
    ? form.args.length === 0
      ? 'nothing'
      : `${form.required > 0 ? '' : 'optionally '}${[...new Set(form.args.map((arg) => arg.allowed))].join(' : ')}`
    : [...form.args].map(([name, arg]) => `${name}${form.joint}<${arg.allowed}>`).join(` ${form.separator} `);

/**
 * An effect's text from the values that the SDK accepts: a string, an array that it joins with `:`, or an object with
 * one member.
 */
function textOf(value: unknown): string | undefined {
  const parts: readonly unknown[] = Array.isArray(value)
    ? value
    : isObject(value) && Object.keys(value).length === 1
      ? (Object.entries(value)[0] ?? [])
      : [value];
  return parts.every((part) => typeof part === 'string' || typeof part === 'number')
    ? parts.join(':')
    : undefined;
}

function split(text: string): readonly [name: string, args: string | undefined] {
  const colon = text.indexOf(':');
  return colon < 0 ? [text, undefined] : [text.slice(0, colon), text.slice(colon + 1)];
}

/** The `effect` parameter: a name of the table, with arguments in its ranges. */
export const effect: Grammar = {
  allowed: `one of ${[...EFFECTS.keys()].join(', ')}, with its arguments after a colon`,
  shape: oneOf(...EFFECTS.keys()).shape,
  write(value) {
    const text = textOf(value);
    if (text === undefined || text.length > LONGEST_EFFECT || REWRITTEN_WORDS.test(text)) {
      return undefined;
    }
    const [name, args] = split(text);
    const fits = EFFECTS.get(name)?.some((form) =>
      form.kind === 'ordered'
        ? fitsOrdered(form, args === undefined ? [] : args.split(':'))
        : args === undefined
          ? form.required.length === 0
          : fitsNamed(form, args),
    );
    return fits ? text : undefined;
  },
  allowedFor(value) {
    const name = split(textOf(value) ?? '')[0];
    const forms = EFFECTS.get(name);
    return forms ? `\`${name}\` with ${forms.map(describe).join('; or ')}` : effect.allowed;
  },
};
