import { createRequire } from 'node:module';
import type { v2 } from 'cloudinary';

const require = createRequire(import.meta.url);
let loaded: typeof v2 | undefined;

/** The SDK, loaded at its first use: most redirects need none of it, and it takes a good part of a process's memory. */
export function sdk(): typeof v2 {
  loaded ??= (require('cloudinary') as { readonly v2: typeof v2 }).v2;
  return loaded;
}
