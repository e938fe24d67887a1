import { mkdirSync, symlinkSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { requireBuild } from './require-build.js';

/** Links `@pixseal/client`, built from the current sources, into a folder of modules. */
export async function linkClient(modules: string): Promise<void> {
  await requireBuild('client');
  mkdirSync(join(modules, '@pixseal'));
  symlinkSync(resolve('packages/client'), join(modules, '@pixseal/client'));
}
