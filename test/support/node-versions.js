import { existsSync } from 'node:fs';

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
