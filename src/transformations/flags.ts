import { type Grammar, matching, oneOf } from './grammar.js';

/** What a flag acts on. A `layer` flag on a step that has no layer does nothing, and is left out. */
type FlagScope = 'layer' | 'picture';

/** One flag of the `flags` parameter. */
export interface Flag {
  readonly name: string;
  readonly scope: FlagScope;
  /** For people: what it does, in a few words. */
  readonly help: string;
  /** What may follow the name, after a colon. */
  readonly argument?: Grammar;
  /** Where Cloudinary's reference says what it acts on. */
  readonly source: string;
}

const reference = (name: string): string =>
  `https://cloudinary.com/documentation/transformation_reference#fl_${name}`;
const onLayer = (name: string, help: string): Flag => ({
  name,
  scope: 'layer',
  help,
  source: reference(name),
});
const onPicture = (name: string, help: string, argument?: Grammar): Flag => ({
  name,
  scope: 'picture',
  help,
  ...(argument ? { argument } : {}),
  source: reference(name),
});

/**
 * Every image flag of Cloudinary's reference. The layer ones are those that it describes as qualifiers of `l_` or
 * `u_` ("Use with: l_<image id>"). Flags of video and audio (`splice`, `waveform`, `mono`, …) are not among them.
 */
export const FLAGS: readonly Flag[] = [
  onLayer('cutter', 'Cuts the picture out in the shape of the layer'),
  onLayer('no_overflow', 'Cuts the layer off where the picture ends'),
  onLayer('region_relative', 'Shares of width and height are of the region that gravity finds'),
  onLayer('relative', 'Shares of width and height are of the picture below'),
  onLayer('replace_image', 'Takes the place of the first image in a PDF'),
  onLayer('text_disallow_overflow', 'Refuses a text that is larger than the picture'),
  onLayer('text_no_trim', 'Keeps the empty space around a text'),
  onLayer('tiled', 'Repeats the layer over the whole picture'),

  onPicture('animated', 'Delivers an animation, not a still of it'),
  onPicture('any_format', 'Lets quality auto change to a PNG of 8 bits'),
  onPicture('apng', 'Delivers an animation as an animated PNG'),
  onPicture(
    'attachment',
    'Offers the picture as a download, by a name of its own',
    matching(/^(?:[A-Za-z0-9_!-]|%20){1,100}$/, 'a file name of letters, digits, `_`, `-`, `!` and `%20`', [
      'pretty_flower',
      'my%20flower',
    ]),
  ),
  onPicture('awebp', 'Delivers an animation as an animated WebP'),
  onPicture('c2pa', 'Signs where the picture comes from, by C2PA'),
  onPicture('clip', 'Cuts along the clipping path in the file'),
  onPicture('clip_evenodd', 'Cuts along the clipping path, by the even-odd rule'),
  onPicture('force_icc', 'Writes a colour profile where the original has none'),
  onPicture('force_strip', 'Takes all metadata out of an upload'),
  onPicture('getinfo', 'Answers what is known of the picture, as JSON'),
  onPicture('group4', 'Compresses a TIFF by Group 4'),
  onPicture('ignore_aspect_ratio', 'Keeps the side that is not given as it is'),
  onPicture('ignore_mask_channels', 'Takes no mask of a TIFF for transparency'),
  onPicture('immutable_cache', 'Lets browsers keep the picture without asking again'),
  onPicture('keep_attribution', 'Keeps what the metadata says of copyright'),
  onPicture('keep_iptc', 'Keeps all metadata'),
  // Stands on the step that closes a layer, so it stays on a step that opens none.
  onPicture('layer_apply', 'Closes the layer that an earlier step opened'),
  onPicture('lossy', 'Lets a GIF or PNG lose detail for a smaller file'),
  onPicture('original', 'Leaves out what the account does to every picture'),
  onPicture('png8', 'Makes a PNG of 8 bits a pixel'),
  onPicture('png24', 'Makes a PNG of 24 bits a pixel'),
  onPicture('png32', 'Makes a PNG of 32 bits a pixel'),
  onPicture('preserve_transparency', 'Keeps format auto to formats with transparency'),
  onPicture(
    'progressive',
    'Makes a JPEG or PNG that sharpens while it loads',
    oneOf('semi', 'steep', 'none'),
  ),
  onPicture('rasterize', 'Makes pixels of a vector picture'),
  onPicture('sanitize', 'Takes scripts out of an SVG'),
  onPicture('strip_profile', 'Takes the colour profile out'),
  onPicture('tiff8_lzw', 'Makes a TIFF of 8 bits, compressed by LZW'),
];

const BY_NAME: ReadonlyMap<string, Flag> = new Map(FLAGS.map((flag) => [flag.name, flag]));
const MOST_FLAGS = 20;

/** For people: completes "Allowed: …". */
export const FLAGS_ALLOWED =
  `up to ${MOST_FLAGS} of ${FLAGS.map(({ name, argument }) => (argument ? `${name}[:…]` : name)).join(', ')}; ` +
  'in an array or joined by `.`' +
  FLAGS.map(({ name, argument }) => (argument ? `; after \`${name}:\` ${argument.allowed}` : '')).join('');

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
