import { existsSync } from 'node:fs';

const INSTALLED = `test/node-24/node_modules/node-linux-${process.arch}/bin/node`;

/**
 * A Node of the next major version to start the service on: that of `NODE_24_PATH`, or the one that
 * `npm ci --prefix test/node-24` installs; null if neither exists.
 * @throws with `REQUIRE_NODE_24=1` instead of returning null, so that no run of CI passes without it.
 */
export function findNode24(): string | null {
  const path = process.env['NODE_24_PATH'] ?? INSTALLED;
  if (existsSync(path)) return path;
  if (process.env['REQUIRE_NODE_24'] === '1')
    throw new Error(`REQUIRE_NODE_24 is set, and there is no ${path}`);
  process.stderr.write('\n*** LEFT OUT: tests on Node 24 (npm ci --prefix test/node-24). ***\n\n');
  return null;
}
