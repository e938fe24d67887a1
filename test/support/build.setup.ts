import { execFileSync } from 'node:child_process';

/** Builds once what the suites start as a process of its own, the service and the command line, and the pages it serves. */
export default function setup(): void {
  // Both databases' suites ask for it.
  if (process.env['PIXSEAL_IS_BUILT'] === '1') return;
  process.env['PIXSEAL_IS_BUILT'] = '1';
  execFileSync('npm', ['run', '--silent', 'build'], { stdio: ['ignore', 'ignore', 'inherit'] });
}
