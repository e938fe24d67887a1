import type { Component } from '../chain/component.js';
import type { Approximations } from './approximations.js';
import { RenderError } from './render.errors.js';

/** Unsupported parameters, with the reason. */
const PARAMETERS: ReadonlyMap<string, string> = new Map([
  [
    't',
    'no file in DATA_DIR/transformations had that name when the service started, or the component has other parameters',
  ],
  ['p', 'a prefix applies to SVG output'],
]);

/** Unsupported flags, with the reason. */
const FLAGS: ReadonlyMap<string, string> = new Map([
  ['any_format', 'formats are not compared with each other'],
  ['apng', 'animated PNG is not written'],
  ['c2pa', 'provenance is not signed'],
  ['clip', 'clipping paths are not read'],
  ['clip_evenodd', 'clipping paths are not read'],
  ['ignore_mask_channels', 'mask channels are not read'],
  ['region_relative', 'there are no detected or custom regions'],
  ['replace_image', 'there are no embedded images of a PDF'],
  ['keep_attribution', 'metadata is dropped except with keep_iptc'],
]);

/** Unsupported values, by parameter. */
const VALUES: ReadonlyMap<string, RegExp> = new Map([
  ['cs', /^(?:cmyk|keep_cmyk|copy)$/],
  ['q', /^jpegmini/],
  ['w', /:json$/],
  ['c', /^imagga_/],
]);

/** Crops for which Cloudinary analyses an image's content. */
const APPROXIMATE_CROPS = new Set(['auto', 'auto_pad', 'fill_pad']);

/**
 * Refuses unsupported parameters before anything is decoded: none is silently ignored.
 * @throws {RenderError} 400 naming the parameter, its value and the component.
 */
export function refuseUnsupported(components: readonly Component[], notes: Approximations): void {
  for (const { text, values, flags } of components) {
    for (const [code, value] of values) {
      const reason = PARAMETERS.get(code);
      if (reason !== undefined) {
        throw new RenderError(400, `Parameter ${code} is not supported in component ${text}: ${reason}`);
      }
      if (VALUES.get(code)?.test(value)) {
        throw new RenderError(
          400,
          `Value ${value} for parameter ${code} is not supported in component ${text}`,
        );
      }
    }
    for (const [flag, argument] of flags) {
      const reason = FLAGS.get(flag);
      if (reason !== undefined) {
        throw new RenderError(400, `Flag ${flag} is not supported in component ${text}: ${reason}`);
      }
      if (flag === 'progressive' && (argument === 'semi' || argument === 'steep')) {
        notes.add(`fl_progressive:${argument}: standard scans`);
      }
    }
    if (values.get('cs') === 'tinysrgb') notes.add('cs_tinysrgb: no profile');
    const crop = values.get('c') ?? '';
    if (APPROXIMATE_CROPS.has(crop)) notes.add(`c_${crop}: by size, not by content`);
    if (values.has('z')) notes.add('z: nothing is detected');
  }
}
