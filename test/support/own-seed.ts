import fc from 'fast-check';

/** A seed for one of several concurrent runs of a property: under `PIXSEAL_SEED` all would be the same otherwise. */
export function ownSeed(index: number): { readonly seed?: number } {
  const { seed } = fc.readConfigureGlobal();
  return seed === undefined ? {} : { seed: seed + index };
}
