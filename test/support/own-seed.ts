import fc from 'fast-check';

/** For the runs of one property that are one of several: without it, under `PIXSEAL_SEED` all would draw the same. */
export function ownSeed(index: number): { readonly seed?: number } {
  const { seed } = fc.readConfigureGlobal();
  return seed === undefined ? {} : { seed: seed + index };
}
