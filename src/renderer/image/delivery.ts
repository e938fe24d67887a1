import type { Component } from '../chain/component.js';
import { RenderError } from './render.errors.js';

/** The options of the delivered file: the last values of the components outside layers. */
export interface Delivery {
  /** `f_`; undefined for the URL's extension. */
  readonly format: string | undefined;
  /** `q_`. */
  readonly quality: string | undefined;
  /** By name; the value is the argument after the colon, or ''. */
  readonly flags: ReadonlyMap<string, string>;
  /** `dl_`: milliseconds of every frame. */
  readonly delay: number | undefined;
  /** `fps_`: the milliseconds that a frame may have, at least and at most. */
  readonly delays: { readonly least: number; readonly most: number } | undefined;
  /** `dn_`: dots per inch, or `idn`, the original's. */
  readonly density: string | undefined;
  /** `d_`. */
  readonly defaultImage: string | undefined;
  /** `pg_`, 0-based. */
  readonly page: number | undefined;
  /** Whether the camera's orientation is applied (`a_ignore` disables it). */
  readonly orient: boolean;
}

/**
 * Reads parameters of the file, not of pixels. The last one of a chain wins.
 * @param components All of the chain.
 * @param ofImage Those that act on the image itself, and not on a layer.
 * @throws {RenderError} 400 for several pages, or layers of a PSD.
 */
export function readDelivery(components: readonly Component[], ofImage: readonly Component[]): Delivery {
  const last = (code: string, among = components): string | undefined =>
    among.findLast(({ values }) => values.has(code))?.values.get(code);
  const [delay, page, framesPerSecond] = [last('dl'), last('pg', ofImage), last('fps')];
  if (page !== undefined && !/^[1-9]\d*$/.test(page)) {
    throw new RenderError(
      400,
      `Invalid value ${page} for parameter pg: only one page, from 1 on, is supported`,
    );
  }
  return {
    format: last('f'),
    quality: last('q'),
    flags: new Map(components.flatMap(({ flags }) => [...flags])),
    delay: delay === undefined ? undefined : Number(delay),
    delays: framesPerSecond === undefined ? undefined : readDelays(framesPerSecond),
    density: last('dn'),
    defaultImage: last('d'),
    page: page === undefined ? undefined : Number(page) - 1,
    orient: !ofImage.some(({ values }) => values.get('a')?.split('.').includes('ignore') === true),
  };
}

/** @param framesPerSecond `<n>`, `<minimum>-<maximum>` or `<minimum>-`. */
function readDelays(framesPerSecond: string): NonNullable<Delivery['delays']> {
  const [slowest = '', fastest = slowest] = framesPerSecond.split('-');
  return {
    least: fastest === '' ? 0 : Math.round(1000 / Number(fastest)),
    most: Math.round(1000 / Number(slowest)),
  };
}
