import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';

const HELM = resolve('test/helm/node_modules/helm/helm');

/** The exit status of a command of helm, and what it wrote. */
export interface HelmResult {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the helm of `test/helm`, without a cluster or a configuration. */
export function runHelm(...args: readonly string[]): HelmResult {
  const env = { PATH: process.env['PATH'], HOME: resolve('test/helm/node_modules') };
  const { status, stdout, stderr } = spawnSync(HELM, args, { env, encoding: 'utf8', timeout: 60_000 });
  return { status, stdout, stderr };
}

/**
 * Whether `npm ci --prefix test/helm` has installed helm, for this system.
 * @throws with `REQUIRE_HELM=1` instead of returning false, so that no run of CI passes without it.
 */
export function hasHelm(): boolean {
  if (runHelm('version').status === 0) return true;
  if (process.env['REQUIRE_HELM'] === '1') throw new Error(`REQUIRE_HELM is set, and there is no ${HELM}`);
  process.stderr.write('\n*** LEFT OUT: tests of the Helm chart (npm ci --prefix test/helm). ***\n\n');
  return false;
}
