import { execFileSync } from 'node:child_process';

/** Builds once what the suites start as a process of its own: the service and the command line. */
export default function setup(): void {
  execFileSync('npx', ['nest', 'build'], { stdio: ['ignore', 'ignore', 'inherit'] });
}
