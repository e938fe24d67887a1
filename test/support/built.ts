import { resolve } from 'node:path';
import { requireBuild } from './require-build.js';

// On import, since a build takes longer than a test or a hook may.
await requireBuild('server');
await requireBuild('pages');

/** The absolute path of a file or folder of `dist`, which is built from the current sources. */
export function built(path = ''): string {
  return resolve('dist', path);
}
