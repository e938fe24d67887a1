import type { Component } from '../chain/component.js';
import { RenderError } from './render.errors.js';

/** How a picture leaves: what the components that are not within a layer say last. */
export interface Delivery {
  /** `f_`; undefined leaves it to the URL's extension. */
  readonly format: string | undefined;
  /** `q_`. */
  readonly quality: string | undefined;
  /** By name; the value is what follows the colon, or ''. */
  readonly flags: ReadonlyMap<string, string>;
  /** `dl_`: milliseconds of every frame. */
  readonly delay: number | undefined;
  /** `dn_`: dots per inch, or `idn`, the original's. */
  readonly density: string | undefined;
  /** `d_`. */
  readonly defaultImage: string | undefined;
  /** `pg_`, 0-based. */
  readonly page: number | undefined;
  /** Whether the camera's orientation is heeded (`a_ignore` says no). */
  readonly orient: boolean;
}

/**
 * Reads what concerns the file and not the pixels. The last one of a chain wins.
 * @param components All of the chain.
 * @param ofPicture Those that act on the picture itself, and not on a layer.
 * @throws {RenderError} 400 for several pages, or layers of a PSD.
 */
export function readDelivery(components: readonly Component[], ofPicture: readonly Component[]): Delivery {
  const last = (code: string, among = components): string | undefined =>
    among.findLast(({ values }) => values.has(code))?.values.get(code);
  const [delay, page] = [last('dl'), last('pg', ofPicture)];
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
    density: last('dn'),
    defaultImage: last('d'),
    page: page === undefined ? undefined : Number(page) - 1,
    orient: !ofPicture.some(({ values }) => values.get('a')?.split('.').includes('ignore') === true),
  };
}
