import { type Grammar, matching, oneOf } from './grammar.js';

/** What a flag acts on. A `layer` flag on a step without a layer has no effect, and is omitted. */
type FlagScope = 'layer' | 'picture';

/** One flag of the `flags` parameter. */
export interface Flag {
  readonly name: string;
  readonly scope: FlagScope;
  /** A short description for people. */
  readonly help: string;
  /** The optional argument after a colon. */
  readonly argument?: Grammar;
  /** The page of Cloudinary's reference. */
  readonly source: string;
}

const reference = (name: string): string =>
  `https://cloudinary.com/documentation/transformation_reference#fl_${name}`;
const layerFlag = (name: string, help: string): Flag => ({
  name,
  scope: 'layer',
  help,
  source: reference(name),
});
const imageFlag = (name: string, help: string, argument?: Grammar): Flag => ({
  name,
  scope: 'picture',
  help,
  ...(argument ? { argument } : {}),
  source: reference(name),
});

/** A decoded file name: without what could end a parameter, a component or a path. */
const FILE_NAME = /^(?!\.)[\p{L}\p{M}\p{N} ._!'()&+=@~-]{1,100}$/u;

/**
 * The file name of `attachment`, without its extension, which Cloudinary adds. Written percent-encoded, with `%2E` for a
 * dot, as `@cloudinary/url-gen` does: a plain dot separates flags.
 */
const fileName: Grammar = {
  ...matching(
    /^(?:[A-Za-z0-9_!~-]|%[0-9A-F]{2}){1,1200}$/,
    "a file name without its extension: up to 100 letters and digits of any script, spaces and `_-!'()&+=@~`, plain or " +
      'percent-encoded, and `%2E` for a dot',
    ['pretty_flower', 'my%20flower', 'fleur%2E2', 'gr%C3%B6%C3%9Fe'],
  ),
  write(value) {
    const name = typeof value === 'string' ? decode(value) : undefined;
    if (name === undefined || !FILE_NAME.test(name)) return undefined;
    return encodeURIComponent(name).replace(
      /[.'()]/g,
      (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
    );
  },
};

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

/**
 * Every image flag of Cloudinary's reference. The layer ones are those that it describes as qualifiers of `l_` or `u_`
 * ("Use with: l_<image id>"). Excluded: flags of video and audio (`splice`, `waveform`, `mono`, …).
 */
export const FLAGS: readonly Flag[] = [
  layerFlag('cutter', 'Clips the image to the shape of the layer'),
  layerFlag('no_overflow', 'Clips the layer at the edges of the image'),
  layerFlag('region_relative', 'Fractions of width and height refer to the region that gravity selects'),
  layerFlag('relative', 'Fractions of width and height refer to the image below'),
  layerFlag('replace_image', 'Replaces the first image in a PDF'),
  layerFlag('text_disallow_overflow', 'Refuses text that is larger than the image'),
  layerFlag('text_no_trim', 'Keeps the empty space around text'),
  layerFlag('tiled', 'Repeats the layer over the whole image'),

  imageFlag('animated', 'Delivers an animation instead of a still'),
  imageFlag('any_format', 'Allows quality auto to choose an 8-bit PNG'),
  imageFlag('apng', 'Delivers an animation as an animated PNG'),
  imageFlag('attachment', 'Delivers the image as a download, optionally with a file name', fileName),
  imageFlag('awebp', 'Delivers an animation as an animated WebP'),
  imageFlag('c2pa', 'Adds a C2PA signature of the image’s provenance'),
  imageFlag('clip', 'Cuts along the clipping path in the file'),
  imageFlag('clip_evenodd', 'Cuts along the clipping path, by the even-odd rule'),
  imageFlag('force_icc', 'Embeds a colour profile if the original has none'),
  imageFlag('force_strip', 'Removes all metadata of an upload'),
  imageFlag('getinfo', 'Returns information about the image as JSON'),
  imageFlag('group4', 'Compresses a TIFF with Group 4'),
  imageFlag('ignore_aspect_ratio', 'Keeps the side that is not specified unchanged'),
  imageFlag('ignore_mask_channels', 'Ignores the masks of a TIFF for transparency'),
  imageFlag('immutable_cache', 'Allows browsers to cache the image without revalidation'),
  imageFlag('keep_attribution', 'Keeps the copyright metadata'),
  imageFlag('keep_iptc', 'Keeps all metadata'),
  // Belongs to the step that closes a layer, which need not open one.
  imageFlag('layer_apply', 'Closes the layer that an earlier step opened'),
  imageFlag('lossy', 'Allows lossy compression of a GIF or PNG'),
  imageFlag('original', 'Omits the transformations that the account applies to every image'),
  imageFlag('png8', 'Creates an 8-bit PNG'),
  imageFlag('png24', 'Creates a 24-bit PNG'),
  imageFlag('png32', 'Creates a 32-bit PNG'),
  imageFlag('preserve_transparency', 'Limits format auto to formats with transparency'),
  imageFlag('progressive', 'Creates a progressive JPEG or an interlaced PNG', oneOf('semi', 'steep', 'none')),
  imageFlag('rasterize', 'Rasterizes a vector image'),
  imageFlag('sanitize', 'Removes scripts from an SVG'),
  imageFlag('strip_profile', 'Removes the colour profile'),
  imageFlag('tiff8_lzw', 'Creates an 8-bit TIFF with LZW compression'),
];

const BY_NAME: ReadonlyMap<string, Flag> = new Map(FLAGS.map((flag) => [flag.name, flag]));
const MOST_FLAGS = 20;

/** Completes "Allowed: …" for people. */
export const FLAGS_ALLOWED =
  `up to ${MOST_FLAGS} of ${FLAGS.map(({ name, argument }) => (argument ? `${name}[:…]` : name)).join(', ')}; ` +
  'in an array or joined by `.`' +
  FLAGS.map(({ name, argument }) => (argument ? `; after \`${name}:\` ${argument.allowed}` : '')).join('');

/** A flag of a step. */
export interface UsedFlag {
  readonly flag: Flag;
  /** As the SDK writes it, with its argument. */
  readonly written: string;
}

/** The most frequent value: one flag, without an argument. */
const ALONE: ReadonlyMap<string, readonly UsedFlag[]> = new Map(
  FLAGS.map((flag) => [flag.name, [{ flag, written: flag.name }]]),
);

/**
 * The flags of a value, in its order, or undefined if one is unknown. A string may contain several, joined with dots.
 */
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
    for (const text of item.split('.')) {
      const colon = text.indexOf(':');
      const flag = BY_NAME.get(colon < 0 ? text : text.slice(0, colon));
      if (flag === undefined) return undefined;
      if (colon < 0) {
        used.push({ flag, written: flag.name });
        continue;
      }
      const argument = flag.argument?.write(text.slice(colon + 1));
      if (argument === undefined) return undefined;
      used.push({ flag, written: `${flag.name}:${argument}` });
    }
  }
  return used.length > 0 && used.length <= MOST_FLAGS ? used : undefined;
}
