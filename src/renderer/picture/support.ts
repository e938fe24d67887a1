import type { Component } from '../chain/component.js';
import type { Approximations } from './approximations.js';
import { RenderError } from './render.errors.js';

/** Parameters that nothing here can answer, with the reason. */
const PARAMETERS: ReadonlyMap<string, string> = new Map([
  ['t', 'named transformations are kept at Cloudinary'],
  ['p', 'a prefix acts on SVG output'],
  ['fps', 'frames per second act on video'],
]);

/** Flags that nothing here can answer, with the reason. */
const FLAGS: ReadonlyMap<string, string> = new Map([
  ['any_format', 'formats are not tried against each other'],
  ['apng', 'animated PNG is not written'],
  ['c2pa', 'provenance is not signed'],
  ['clip', 'clipping paths are not read'],
  ['clip_evenodd', 'clipping paths are not read'],
  ['getinfo', 'the answer is a picture'],
  ['ignore_mask_channels', 'mask channels are not read'],
  ['region_relative', 'there are no detected or custom regions'],
  ['replace_image', 'there are no embedded images of a PDF'],
  ['keep_attribution', 'metadata is dropped but with keep_iptc'],
]);

/** Values that nothing here can answer, by parameter. */
const VALUES: ReadonlyMap<string, RegExp> = new Map([
  ['cs', /^(?:cmyk|keep_cmyk|copy)$/],
  ['q', /^jpegmini/],
  ['w', /:json$/],
  ['c', /^imagga_/],
]);

/** Crops that weigh a picture's content at Cloudinary. */
const APPROXIMATE_CROPS = new Set(['auto', 'auto_pad', 'fill_pad']);

/**
 * Refuses what has no answer, before anything is decoded: nothing is skipped in silence.
 * @throws {RenderError} 400 that names the parameter, its value and the component.
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
