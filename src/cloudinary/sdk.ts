import { createRequire } from 'node:module';
import type { v2 } from 'cloudinary';

const require = createRequire(import.meta.url);
let loaded: typeof v2 | undefined;

/** Loads the SDK on first use: most redirects do not need it, and it takes much memory. */
export function sdk(): typeof v2 {
  loaded ??= (require('cloudinary') as { readonly v2: typeof v2 }).v2;
  return loaded;
}
