import { type Grammar, matching, oneOf } from './grammar.js';

/** What a flag acts on. A `layer` flag on a step that has no layer does nothing, and is left out. */
type FlagScope = 'layer' | 'picture';

/** One flag of the `flags` parameter. */
export interface Flag {
  readonly name: string;
  readonly scope: FlagScope;
  /** What may follow the name, after a colon. */
  readonly argument?: Grammar;
  /** Where Cloudinary's reference says what it acts on. */
  readonly source: string;
}

const reference = (name: string): string =>
  `https://cloudinary.com/documentation/transformation_reference#fl_${name}`;
const onLayer = (name: string): Flag => ({ name, scope: 'layer', source: reference(name) });
const onPicture = (name: string, argument?: Grammar): Flag => ({
  name,
  scope: 'picture',
  ...(argument ? { argument } : {}),
  source: reference(name),
});

/**
 * Every image flag of Cloudinary's reference. The layer ones are those that it describes as qualifiers of `l_` or
 * `u_` ("Use with: l_<image id>"). Flags of video and audio (`splice`, `waveform`, `mono`, …) are not among them.
 */
export const FLAGS: readonly Flag[] = [
  onLayer('cutter'),
  onLayer('no_overflow'),
  onLayer('region_relative'),
  onLayer('relative'),
  onLayer('replace_image'),
  onLayer('text_disallow_overflow'),
  onLayer('text_no_trim'),
  onLayer('tiled'),

  onPicture('animated'),
  onPicture('any_format'),
  onPicture('apng'),
  onPicture(
    'attachment',
    matching(/^(?:[A-Za-z0-9_!-]|%20){1,100}$/, 'a file name of letters, digits, `_`, `-`, `!` and `%20`', [
      'pretty_flower',
      'my%20flower',
    ]),
  ),
  onPicture('awebp'),
  onPicture('c2pa'),
  onPicture('clip'),
  onPicture('clip_evenodd'),
  onPicture('force_icc'),
  onPicture('force_strip'),
  onPicture('getinfo'),
  onPicture('group4'),
  onPicture('ignore_aspect_ratio'),
  onPicture('ignore_mask_channels'),
  onPicture('immutable_cache'),
  onPicture('keep_attribution'),
  onPicture('keep_iptc'),
  // Stands on the step that closes a layer, so it stays on a step that opens none.
  onPicture('layer_apply'),
  onPicture('lossy'),
  onPicture('original'),
  onPicture('png8'),
  onPicture('png24'),
  onPicture('png32'),
  onPicture('preserve_transparency'),
  onPicture('progressive', oneOf('semi', 'steep', 'none')),
  onPicture('rasterize'),
  onPicture('sanitize'),
  onPicture('strip_profile'),
  onPicture('tiff8_lzw'),
];

const BY_NAME: ReadonlyMap<string, Flag> = new Map(FLAGS.map((flag) => [flag.name, flag]));
const MOST_FLAGS = 20;

/** For people: completes "Allowed: …". */
export const FLAGS_ALLOWED =
  `up to ${MOST_FLAGS} of ${FLAGS.map(({ name, argument }) => (argument ? `${name}[:…]` : name)).join(', ')}; ` +
  'in an array or joined by `.`';

/** A flag as one step has it. */
export interface UsedFlag {
  readonly flag: Flag;
  /** As the SDK writes it, with its argument. */
  readonly written: string;
}

/** What most steps have: one flag, without an argument. */
const ALONE: ReadonlyMap<string, readonly UsedFlag[]> = new Map(
  FLAGS.map((flag) => [flag.name, [{ flag, written: flag.name }]]),
);

/** The flags of a value, in its order, or undefined when one is unknown. Text may join several with dots. */
export function readFlags(value: unknown): readonly UsedFlag[] | undefined {
  const alone = typeof value === 'string' ? ALONE.get(value) : undefined;
  if (alone !== undefined) {
    return alone;
  }
  const items: readonly unknown[] = Array.isArray(value) ? value : [value];
  const used: UsedFlag[] = [];
  for (const item of items) {
    if (typeof item !== 'string') {
      return undefined;
    }
    for (const written of item.split('.')) {
      const colon = written.indexOf(':');
      const flag = BY_NAME.get(colon < 0 ? written : written.slice(0, colon));
      if (!flag || (colon >= 0 && flag.argument?.write(written.slice(colon + 1)) === undefined)) {
        return undefined;
      }
      used.push({ flag, written });
    }
  }
  return used.length > 0 && used.length <= MOST_FLAGS ? used : undefined;
}
