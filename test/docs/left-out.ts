/** A part of Cloudinary's transformations that no step may use. */
interface LeftOut {
  /** What it is, and why: Markdown. */
  readonly why: string;
  /** Steps that are refused. */
  readonly steps: readonly Readonly<Record<string, unknown>>[];
}

/**
 * What Cloudinary's SDK and `@cloudinary/url-gen` can write and a step may not, beside the ignored keys. For
 * docs/vocabulary.md; a test checks that each step is refused.
 */
export const LEFT_OUT: readonly LeftOut[] = [
  {
    why: 'Video and audio: effects, flags, formats and the quality’s `qmax`',
    steps: [
      ...['accelerate', 'boomerang', 'deshake', 'preview', 'reverse', 'transition', 'volume:50'].map(
        (effect) => ({ effect }),
      ),
      ...[
        'hlsv3',
        'keep_dar',
        'mono',
        'no_stream',
        'splice',
        'streaming_attachment',
        'truncate_ts',
        'waveform',
      ].map((flags) => ({ flags })),
      { fetch_format: 'mp4' },
      { fetch_format: 'auto:video' },
      { quality: '70:qmax_20' },
    ],
  },
  {
    why: '3D models: they are not images',
    steps: [{ fetch_format: 'glb' }, { fetch_format: 'usdz' }, { flags: 'draco' }],
  },
  {
    why: 'Formats that Cloudinary reads and does not deliver',
    steps: [{ fetch_format: 'arw' }, { fetch_format: 'cr2' }, { fetch_format: 'indd' }],
  },
  {
    why: 'Assets by name: a token refers to overlays by the ids of their rows',
    steps: [
      { overlay: 'logo' },
      { overlay: { public_id: 'logo' } },
      { overlay: 'fetch:aHR0cHM6Ly9hLmI' },
      { overlay: { resource_type: 'video', public_id: 'dog' } },
      { overlay: { resource_type: 'subtitles', public_id: 'dog.srt' } },
      { overlay: 'lut:style.3dl' },
      { default_image: 'avatar.png' },
      { effect: 'swap_image:image_logo' },
      { color_space: 'icc:profile.icc' },
    ],
  },
  {
    why: 'Variables, in any value',
    steps: [{ width: '$size' }, { height: '$small_add_20' }, { radius: '10:$v' }, { aspect_ratio: '$ar' }],
  },
  {
    why: 'Values that older SDKs write and the reference does not have',
    steps: [{ effect: 'tilt_shift' }, { angle: 'auto' }, { quality: 0.4 }, { width: 'ow' }],
  },
  {
    why: 'Punctuation, and letters other than `A` to `z`, in the prompts of generative effects and backgrounds',
    steps: [{ background: 'gen_fill:prompt_a%2C%20b' }, { effect: 'gen_remove:prompt_größe' }],
  },
];
