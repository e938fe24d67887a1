import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

/** Rooms whose comments and strings are in plain English; extend it when another room is. */
const FINISHED = [
  ...['cli', 'cloudinary', 'directory', 'domain', 'operations', 'originals', 'pages', 'policy', 'redirect'],
  ...['renderer', 'tokens', 'transformations'],
  ...['actor', 'config', 'http', 'observability', 'openapi', 'rate-limit', 'secrets'].map(
    (part) => `platform/${part}`,
  ),
]
  .map((room) => `src/${room}`)
  .concat('packages/client/src', 'packages/testing/src', 'web');
const DIALECT =
  /\b(?:told|heard|hears of|whoever|nobody|somebody|anew|(?<!there )(?:is|are) none|at the most|whole way|given away|goodbye|once more|for ever|asked for|answer(?:s|ed)? \d{3})\b/i;

describe('the language', () => {
  it.each(FINISHED)('of %s is plain English', (room) => {
    const files = readdirSync(room, { recursive: true, encoding: 'utf8' }).map((file) => join(room, file));
    const lines = files
      .filter((file) => /\.(?:ts|tsx|html|css)$/.test(file))
      .flatMap((file) =>
        readFileSync(file, 'utf8')
          .split('\n')
          .map((line, at) => `${file}:${at + 1} ${line}`),
      );
    expect(lines.filter((line) => DIALECT.test(line))).toStrictEqual([]);
  });
});
