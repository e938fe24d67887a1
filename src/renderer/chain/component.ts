import type { Layer } from './layer-source.js';

/** A parsed component of a chain. */
export interface Component {
  /** As in the URL. */
  readonly text: string;
  /** Values by short code, in the URL's order, as the grammars write them. Flags are joined by dots under `fl`. */
  readonly values: ReadonlyMap<string, string>;
  /** Flags by name; the value is the argument after the colon, or ''. */
  readonly flags: ReadonlyMap<string, string>;
  /** The layer of `l_` or `u_`; the first of two, which `nestLayers` refuses. */
  readonly layer: Layer | undefined;
}

/** The component as written in a URL. */
export function writeComponent({ values }: Component): string {
  return [...values].map(([code, value]) => `${code}_${value}`).join(',');
}
