// Runs unit suites and the redirect's suites on the newest Node of each supported line, except for the Node that runs
// this: `npm test` runs on that one.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { delimiter, dirname, resolve } from 'node:path';
import { NODE_LINES, nodeOfLine } from '../support/node-versions.js';

const REDIRECT = [
  'deliveries',
  'first-start',
  'images',
  'limits',
  'raw-response',
  'redirect-cache',
  'seed',
  'steps',
  'token-gate',
].map((name) => `test/e2e/${name}.spec.ts`);

/** They build packages and read documents: another Node shows nothing new. */
const LEFT_OUT = ['docs', 'language.spec.ts', 'release.spec.ts'];
const UNIT = readdirSync('test')
  .filter((name) => !LEFT_OUT.includes(name))
  .map((name) => `test/${name}`);

for (const line of NODE_LINES) {
  const node = resolve(nodeOfLine(line));
  if (!existsSync(node)) throw new Error(`test/node-versions has no Node ${line} for this system: ${node}`);
  const version = run(node, ['--version'], 'pipe').stdout.trim();
  if (version === process.version) continue;
  process.stdout.write(`\n=== Node ${version}\n`);
  run(node, ['node_modules/vitest/vitest.mjs', 'run', '--project', 'unit', ...UNIT]);
  run(node, ['node_modules/vitest/vitest.mjs', 'run', ...REDIRECT]);
}

/**
 * Runs a program on a Node, which its child processes find first on their PATH.
 * @param {string} node
 * @param {readonly string[]} args
 * @param {'inherit' | 'pipe'} stdio
 * @throws Error if the program cannot be started or fails.
 */
function run(node, args, stdio = 'inherit') {
  const PATH = [dirname(node), process.env['PATH']].join(delimiter);
  const result = spawnSync(node, args, { stdio, encoding: 'utf8', env: { ...process.env, PATH } });
  if (result.error) throw result.error;
  if (result.status !== 0) process.exit(result.status ?? 1);
  return result;
}
