import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { PAGE_SOURCES } from './support/require-build.js';

/** Rooms, lowest first: a file imports from its own room or from a lower one. ARCHITECTURE.md says what each holds. */
const ROOMS = [
  'packages/client/',
  'packages/react/',
  'packages/testing/',
  'src/domain/',
  'src/tokens/',
  'src/platform/',
  'src/cloudinary/',
  'src/transformations/',
  'src/policy/',
  'src/directory/',
  'src/redirect/',
  'src/originals/',
  'src/admin/',
  'src/operations/',
  'src/pages/',
  'web/',
  'src/renderer/',
  'src/',
] as const;
/** Belongs to the highest room, beside the files of `src/` itself. */
const HIGHEST_FOLDERS = ['cli'];

interface Import {
  readonly from: string;
  readonly to: string;
}

/** Every import between files of these folders. @param read Returns a file's text. */
function readImports(folders: readonly string[], read = readText): Import[] {
  const files = folders
    .flatMap((folder) =>
      readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((file) => join(folder, file)),
    )
    .filter((file) => /(?<!\.d)\.(?:ts|tsx|js)$/.test(file) && !/\b(?:node_modules|dist)\b/.test(file));
  return files.flatMap((from) =>
    ts
      .preProcessFile(read(from), true, true)
      .importedFiles.filter(({ fileName }) => /^\.{1,2}\/.*\.jsx?$/.test(fileName))
      .map(({ fileName }) => ({ from, to: findSource(join(from, '..', fileName)) })),
  );
}

const readText = (file: string): string => readFileSync(file, 'utf8');

/** A file's text without types and the imports of types. */
function readCode(fileName: string): string {
  const compilerOptions = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 };
  return ts.transpileModule(readText(fileName), { fileName, compilerOptions }).outputText;
}

function findSource(path: string): string {
  const found = [path, path.replace(/\.js$/, '.ts'), path.replace(/\.jsx?$/, '.tsx')].find(existsSync);
  if (found === undefined) throw new Error(`No source of ${path}`);
  return found;
}

const roomOf = (file: string): number => ROOMS.findIndex((room) => file.startsWith(room));

/** Files on a cycle, each with the file that it imports there. */
function findCycles(imports: readonly Import[]): string[] {
  const importers = new Map<string, string[]>();
  for (const { from, to } of imports) importers.set(from, [...(importers.get(from) ?? []), to]);
  const finished = new Set<string>();
  const path: string[] = [];
  const cycles: string[] = [];
  const visit = (file: string): void => {
    if (path.includes(file)) cycles.push([...path.slice(path.indexOf(file)), file].join(' → '));
    if (finished.has(file) || path.includes(file)) return;
    path.push(file);
    for (const imported of importers.get(file) ?? []) visit(imported);
    path.pop();
    finished.add(file);
  };
  for (const { from } of imports) visit(from);
  return cycles;
}

describe('the rooms', () => {
  const imports = readImports(['src', 'web', 'packages']);

  it('are all there are', () => {
    const folders = readdirSync('src', { withFileTypes: true }).filter((entry) => entry.isDirectory());
    const known = ROOMS.filter((room) => room.startsWith('src/') && room !== 'src/').map((room) =>
      room.slice(4, -1),
    );
    expect(folders.map(({ name }) => name).sort()).toStrictEqual([...known, ...HIGHEST_FOLDERS].sort());
    expect(imports.length).toBeGreaterThan(1_000);
  });

  it('import from themselves and from lower rooms', () => {
    const upward = imports
      .filter(({ from, to }) => roomOf(to) > roomOf(from))
      .map(({ from, to }) => `${from} imports ${to}: ${ROOMS[roomOf(from)]} lies below ${ROOMS[roomOf(to)]}`);
    expect(upward).toStrictEqual([]);
  });

  it('give pages no code but what rebuilds them', () => {
    const isPageSource = (file: string): boolean =>
      PAGE_SOURCES.some((folder) => file.startsWith(`${folder}/`));
    const outside = readImports(PAGE_SOURCES, readCode)
      .filter(({ to }) => !isPageSource(to))
      .map(({ from, to }) => `${from} imports ${to}`);
    expect(outside).toStrictEqual([]);
  });

  it('have no cycle of files', () => {
    expect(findCycles(imports)).toStrictEqual([]);
  });
});
