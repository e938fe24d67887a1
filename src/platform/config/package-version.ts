import { createRequire } from 'node:module';

/** This package's version, as its package.json has it. */
export function readVersion(): string {
  const require = createRequire(import.meta.url);
  return (require('pixseal/package.json') as { version: string }).version;
}
