import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { FolderLockedError, lockFolder } from '../../src/platform/database/folder-lock.js';

interface Part {
  readonly script: string;
  /** Folders and files that the outputs depend on. */
  readonly sources: readonly string[];
  readonly outputs: readonly string[];
}

/** What every part depends on. */
const COMMON = ['package.json', 'package-lock.json', 'tsconfig.json'];

/** Folders with code of the pages; `test/architecture.spec.ts` checks that no other folder has any. */
export const PAGE_SOURCES = ['web', 'src/domain', 'src/tokens', 'packages/client/src'];

/** Parts of the build, each built by a script of package.json. */
const PARTS = {
  pages: {
    script: 'build:pages',
    sources: [...COMMON, 'vite.config.ts', ...PAGE_SOURCES],
    outputs: ['dist/web'],
  },
  server: {
    script: 'build:server',
    sources: [
      ...COMMON,
      ...['nest-cli.json', 'tsconfig.build.json', 'vite.server.config.ts', 'ormconfig.ts'],
      ...['src', 'packages/client/src', 'packages/testing/src'],
    ],
    outputs: ['dist/src', 'dist/packages', 'dist/server', 'dist/ormconfig.js'],
  },
  client: {
    script: 'build:client',
    sources: [...COMMON, 'packages/build.js', 'packages/client/package.json', 'packages/client/src'],
    outputs: ['packages/client/dist'],
  },
} satisfies Record<string, Part>;
type PartName = keyof typeof PARTS;

/** Milliseconds between two attempts to lock `dist`. */
const RETRY = 100;

const required = new Map<PartName, Promise<void>>();

/**
 * Builds a part of `dist`, unless it was built from the current sources. Workers and other test runs
 * wait for each other.
 * @throws if the build fails.
 */
export function requireBuild(name: PartName): Promise<void> {
  const building = required.get(name) ?? buildWhereStale(name);
  required.set(name, building);
  return building;
}

async function buildWhereStale(name: PartName): Promise<void> {
  const part = PARTS[name];
  const record = `dist/.${name}.json`;
  mkdirSync('dist', { recursive: true });
  const unlock = await lock();
  try {
    const sources = hashSources(part.sources);
    if (readRecord(record) === recordOf(sources, part)) return;
    await run(part.script);
    writeFileSync(record, recordOf(sources, part));
  } finally {
    unlock();
  }
}

async function lock(): Promise<() => void> {
  for (;;) {
    try {
      return lockFolder('dist');
    } catch (error) {
      if (!(error instanceof FolderLockedError)) throw error;
      await sleep(RETRY);
    }
  }
}

/** The sources by content, the outputs by size and time: any other write to `dist` invalidates the record. */
function recordOf(sources: string, { outputs }: Part): string {
  const files = outputs.flatMap(listFiles).map((file) => {
    const { size, mtimeMs } = statSync(file);
    return `${file} ${size} ${mtimeMs}`;
  });
  return JSON.stringify({ sources, outputs: createHash('sha256').update(files.join('\n')).digest('hex') });
}

function readRecord(path: string): string | null {
  return statSync(path, { throwIfNoEntry: false }) === undefined ? null : readFileSync(path, 'utf8');
}

function hashSources(paths: readonly string[]): string {
  const hash = createHash('sha256');
  for (const file of paths.flatMap(listFiles)) {
    const content = readFileSync(file);
    hash.update(`${file} ${content.length}\n`).update(content);
  }
  return hash.digest('hex');
}

/** The files of a folder in a fixed order, or the one file; empty where nothing has this path. */
function listFiles(path: string): readonly string[] {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat?.isDirectory() !== true) return stat === undefined ? [] : [path];
  return readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

/** @throws with the script's output if it fails. */
async function run(script: string): Promise<void> {
  const env = userEnvironment();
  try {
    await promisify(execFile)('npm', ['run', '--silent', script], { env });
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
    throw new Error(`npm run ${script} failed.\n${stdout}${stderr}`, { cause: error });
  }
}

/** Without the variables that Vitest sets, since Vite would build for tests, and without those that npm passes on. */
export function userEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(process.env).filter(([name]) => name !== 'NODE_ENV' && !/^(?:VITE|npm_)/.test(name)),
  );
}
