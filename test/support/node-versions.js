import { existsSync } from 'node:fs';
import { resolve } from 'node:path';

/** The supported lines of Node: major versions, each with a floor in `engines` of package.json. */
export const NODE_LINES = /** @type {const} */ ([20, 22, 24]);

/**
 * The newest Node of a line, which `npm ci --prefix test/node-versions` installs on Linux. The file may be missing.
 * @param {typeof NODE_LINES[number]} line
 */
export function nodeOfLine(line) {
  return `test/node-versions/node_modules/node-${line}-linux-${process.arch}/bin/node`;
}

/**
 * Every supported line's Node, as absolute paths; only the Node that runs this if some are not installed.
 * @returns {readonly { readonly name: string, readonly path: string }[]}
 * @throws with `REQUIRE_NODE_24=1` instead of leaving a line out, so that no run of CI passes without it.
 */
export function findNodes() {
  const nodes = NODE_LINES.map((line) => ({ name: `Node ${line}`, path: resolve(nodeOfLine(line)) }));
  const missing = nodes.filter(({ path }) => !existsSync(path)).map(({ name }) => name);
  if (missing.length === 0) return nodes;
  const reason = `${missing.join(', ')} (npm ci --prefix test/node-versions)`;
  if (process.env['REQUIRE_NODE_24'] === '1')
    throw new Error(`REQUIRE_NODE_24 is set, and there is no ${reason}`);
  process.stderr.write(`\n*** LEFT OUT: packages on ${reason}. ***\n\n`);
  return [{ name: `Node ${process.versions.node}`, path: process.execPath }];
}

/**
 * A Node 24 to start the service on: that of `NODE_24_PATH`, or the installed one; null if neither exists.
 * @returns {string | null}
 * @throws with `REQUIRE_NODE_24=1` instead of returning null, so that no run of CI passes without it.
 */
export function findNode24() {
  const path = process.env['NODE_24_PATH'] ?? nodeOfLine(24);
  if (existsSync(path)) return path;
  if (process.env['REQUIRE_NODE_24'] === '1')
    throw new Error(`REQUIRE_NODE_24 is set, and there is no ${path}`);
  process.stderr.write('\n*** LEFT OUT: tests on Node 24 (npm ci --prefix test/node-versions). ***\n\n');
  return null;
}
