import type { ComponentValues } from './component.js';
import { EFFECTS } from './effects.js';

/**
 * Groups of effects. `generative`: adds content that the original does not have. `ai`: runs a model of Cloudinary's,
 * generative or not. `addon`: needs a subscription to an add-on, which is billed apart.
 */
export const EFFECT_GROUPS = ['generative', 'ai', 'addon'] as const;
export type EffectGroup = (typeof EFFECT_GROUPS)[number];

/** An effect, or a value of another parameter that costs as one does. */
interface GroupedEffect {
  readonly name: string;
  readonly groups: readonly EffectGroup[];
  /** Cloudinary's page, which says so. */
  readonly source: string;
  /** For a value that is not one of `effect`: its parameter, and whether a value of it is meant. */
  readonly of?: { readonly key: string; readonly code: string; readonly matches: (value: string) => boolean };
}

const page = (name: string): string => `https://cloudinary.com/documentation/${name}`;
const GENERATIVE_AI = page('generative_ai_transformations');
const ENHANCEMENT = page('image_enhancement');

const GENERATIVE: readonly EffectGroup[] = ['generative', 'ai'];
const AI: readonly EffectGroup[] = ['ai'];
const ADDON: readonly EffectGroup[] = ['addon'];

const gravity = (isMeant: (focus: string) => boolean): NonNullable<GroupedEffect['of']> => ({
  key: 'gravity',
  code: 'g',
  matches: (value) => value.split(':').some(isMeant),
});

/**
 * Words of a gravity that are no detected objects: positions, faces and persons, and the algorithms of `auto`. Every other
 * word names an object, so that one that Cloudinary adds later is in the group too.
 */
const BUILT_IN_FOCUS =
  /^(?:(?:north|south)(?:_(?:west|east))?|west|east|center|xy_center|face|faces|body|custom|liquid|auto|subject|classic|none|no_gravity|custom_no_override|adv_.*|ocr_text|aoi_.*|thirds(?:_\d+)?|cld-decompose_tile|clipping_path_.*|\d+)$/;

/** The effects of every group. */
export const GROUPED_EFFECTS: readonly GroupedEffect[] = [
  { name: 'gen_background_replace', groups: GENERATIVE, source: GENERATIVE_AI },
  { name: 'gen_recolor', groups: GENERATIVE, source: GENERATIVE_AI },
  { name: 'gen_remove', groups: GENERATIVE, source: GENERATIVE_AI },
  { name: 'gen_replace', groups: GENERATIVE, source: GENERATIVE_AI },
  { name: 'gen_restore', groups: GENERATIVE, source: GENERATIVE_AI },
  {
    name: 'gen_fill',
    groups: GENERATIVE,
    source: GENERATIVE_AI,
    of: { key: 'background', code: 'b', matches: (value) => value.startsWith('gen_fill') },
  },
  // Predicts detail that the original does not have.
  { name: 'upscale', groups: GENERATIVE, source: ENHANCEMENT },
  // Selects enhancements, `gen_restore` and `upscale` among them.
  { name: 'auto_enhance', groups: GENERATIVE, source: ENHANCEMENT },
  // Repaints the image.
  {
    name: 'style_transfer',
    groups: [...GENERATIVE, 'addon'],
    source: page('neural_artwork_style_transfer_addon'),
  },
  { name: 'enhance', groups: AI, source: ENHANCEMENT },
  { name: 'extract', groups: AI, source: page('transformation_reference#e_extract') },
  { name: 'dropshadow', groups: AI, source: page('rn_pm_02_21_2023') },
  // An add-on of accounts that still subscribe to it.
  {
    name: 'background_removal',
    groups: ['ai', 'addon'],
    source: page('cloudinary_ai_background_removal_addon'),
  },
  { name: 'adv_redeye', groups: ADDON, source: page('advanced_facial_attributes_detection_addon') },
  { name: 'viesus_correct', groups: ADDON, source: page('viesus_automatic_image_enhancement_addon') },
  ...['imagga_crop', 'imagga_scale'].map((name) => ({
    name,
    groups: ADDON,
    source: page('imagga_crop_and_scale_addon'),
    of: { key: 'crop', code: 'c', matches: (value: string) => value === name },
  })),
  {
    name: 'jpegmini',
    groups: ADDON,
    source: page('jpegmini_image_optimization_addon'),
    of: { key: 'quality', code: 'q', matches: (value) => value.startsWith('jpegmini') },
  },
  {
    name: 'adv_face',
    groups: ADDON,
    source: page('advanced_facial_attributes_detection_addon'),
    of: gravity((focus) => focus.startsWith('adv_')),
  },
  {
    name: 'ocr_text',
    groups: ADDON,
    source: page('ocr_text_detection_and_extraction_addon'),
    of: gravity((focus) => focus.startsWith('ocr_text')),
  },
  {
    name: 'object',
    groups: ADDON,
    source: page('cloudinary_ai_content_analysis_addon'),
    of: gravity((focus) => !BUILT_IN_FOCUS.test(focus.replace(/_(?:avoid|\d+)$/, ''))),
  },
];

/** Names of groups, of effects, and of the values of other parameters that are in a group. */
export const EFFECT_NAMES: readonly string[] = [
  ...EFFECT_GROUPS,
  ...EFFECTS.keys(),
  ...GROUPED_EFFECTS.flatMap(({ name, of }) => (of === undefined ? [] : [name])),
];

/** The effects of a list of names, each group replaced by its effects. */
export function expandEffectGroups(names: readonly string[]): ReadonlySet<string> {
  return new Set(
    names.flatMap((name) =>
      isGroup(name)
        ? GROUPED_EFFECTS.filter(({ groups }) => groups.includes(name)).map((effect) => effect.name)
        : [name],
    ),
  );
}

const isGroup = (name: string): name is EffectGroup => EFFECT_GROUPS.some((group) => group === name);

/** An effect of a component. */
export interface UsedEffect {
  readonly name: string;
  /** The key of the step that has it. */
  readonly key: string;
}

const BESIDE_EFFECTS = GROUPED_EFFECTS.flatMap(({ name, of }) => (of === undefined ? [] : [{ name, ...of }]));

/** The effects that a component uses, by the names of `EFFECT_NAMES`. */
export function effectsOf(values: ComponentValues): readonly UsedEffect[] {
  const effect = values.get('e');
  const used = effect === undefined ? [] : [{ name: effect.split(':', 1).join(), key: 'effect' }];
  for (const { name, key, code, matches } of BESIDE_EFFECTS) {
    const value = values.get(code);
    if (value !== undefined && matches(value)) used.push({ name, key });
  }
  return used;
}
