import type { Layer } from './layer-source.js';

/** One component of a chain, read by the table that the mapper writes it with. */
export interface Component {
  /** As it stands in the URL. */
  readonly text: string;
  /** Values by short code, in the URL's order, as the grammars write them. Flags are joined by dots under `fl`. */
  readonly values: ReadonlyMap<string, string>;
  /** Flags by name; the value is what follows the colon, or ''. */
  readonly flags: ReadonlyMap<string, string>;
  /** What `l_` or `u_` adds; of two, which `nestLayers` refuses, the first. */
  readonly layer: Layer | undefined;
}

/** The component as a URL has it. */
export function writeComponent({ values }: Component): string {
  return [...values].map(([code, value]) => `${code}_${value}`).join(',');
}
