import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

const lock = readFileSync('package-lock.json', 'utf8');
const { packages } = JSON.parse(lock) as {
  readonly packages: Readonly<Record<string, { readonly hasInstallScript?: true; readonly name?: string }>>;
};

const { allowScripts } = JSON.parse(readFileSync('package.json', 'utf8')) as {
  readonly allowScripts: Readonly<Record<string, boolean>>;
};

it('no package runs a script when it is installed by an npm that asks; others may compile a file watcher', () => {
  const scripts = Object.entries(packages).filter(([, { hasInstallScript }]) => hasInstallScript === true);
  expect(scripts.map(([path]) => path)).toStrictEqual(['node_modules/@parcel/watcher']);
  expect(allowScripts).toStrictEqual({ '@parcel/watcher': false });
});

it('the package that reports installs is replaced by an empty one', () => {
  const replaced = Object.entries(packages).filter(([path]) => path.includes('scarf'));
  expect(replaced.map(([, { name }]) => name)).toStrictEqual(['empty-npm-package']);
});
