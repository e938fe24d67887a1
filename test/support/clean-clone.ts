import { execFile } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { userEnvironment } from './require-build.js';

/** Milliseconds: packing builds the service, and each install may download packages. */
export const SLOW = 600_000;

/** What the build of the packages needs. */
const PACKAGE_SOURCES = [
  'LICENSE',
  'package.json',
  'package-lock.json',
  '.npmrc',
  'tsconfig.json',
  'packages',
];
/** What the build of the service needs too, as the Dockerfile has it. */
const SERVICE_SOURCES = [
  ...['nest-cli.json', 'tsconfig.build.json', 'ormconfig.ts', 'vite.config.ts', 'vite.server.config.ts'],
  ...['src', 'web'],
];

/** A copy of the checkout in which nothing was built, in a temporary folder that has room for users' projects. */
export interface CleanClone {
  readonly folder: string;
  readonly clone: string;
  /** Runs a shell's lines like a user, on a Node that child processes find first on their PATH. @throws if they fail. */
  readonly run: (cwd: string, lines: string, node?: string) => Promise<string>;
  readonly remove: () => void;
}

/** @param withService False if only packages are built that do not contain the service. */
export function createCleanClone({ withService }: { readonly withService: boolean }): CleanClone {
  const folder = mkdtempSync(join(tmpdir(), 'pixseal-packages-'));
  const clone = join(folder, 'pixseal');
  for (const path of withService ? [...PACKAGE_SOURCES, ...SERVICE_SOURCES] : PACKAGE_SOURCES) {
    const isSource = (file: string): boolean => !/[/\\]dist$/.test(file);
    cpSync(path, join(clone, path), { recursive: true, filter: isSource });
  }
  symlinkSync(resolve('node_modules'), join(clone, 'node_modules'));
  return {
    folder,
    clone,
    run: async (cwd, lines, node = process.execPath) => {
      const { stdout } = await promisify(execFile)('bash', ['-euo', 'pipefail', '-c', lines], {
        cwd,
        timeout: SLOW,
        maxBuffer: 2 ** 26,
        env: {
          ...userEnvironment(),
          PATH: [dirname(node), process.env['PATH']].join(delimiter),
          TMPDIR: folder,
          NO_COLOR: '1',
          npm_config_audit: 'false',
          npm_config_fund: 'false',
          npm_config_prefer_offline: 'true',
          npm_config_ignore_scripts: cwd === clone ? 'false' : 'true',
        },
      }).catch((error: unknown) => {
        const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
        throw new Error(`${lines}\n${stdout}${stderr}`, { cause: error });
      });
      return stdout;
    },
    remove: () => {
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
