import { createRequire } from 'node:module';

/** The version in this package's package.json. */
export function readVersion(): string {
  const require = createRequire(import.meta.url);
  return (require('pixseal/package.json') as { version: string }).version;
}
