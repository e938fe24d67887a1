import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

const [, tables = ''] =
  /^## Inputs$([^]*)^## Figures$/m.exec(readFileSync('docs/reliability.md', 'utf8')) ?? [];

/** Each test that the tables name: a file in backticks, a colon, then titles in backticks. */
const NAMED = tables
  .split('\n')
  .filter((line) => line.startsWith('| ') && line.includes('`test/'))
  .flatMap((line) =>
    [...line.matchAll(/`(test\/[\w./-]+\.spec\.ts)`: ((?:`[^`]+`(?:, )?)+)/g)].flatMap(
      ([, file = '', titles = '']) =>
        [...titles.matchAll(/`([^`]+)`/g)].map(([, title = '']) => [file, title] as const),
    ),
  );

describe('docs/reliability.md', () => {
  it('names a test in every row of its two tables', () => {
    const rows = tables.split('\n').filter((line) => /^\| (?!---|input |fault )/.test(line));
    expect(rows.length).toBeGreaterThan(40);
    expect(rows.filter((line) => !/`test\/[\w./-]+\.spec\.ts`: `/.test(line))).toStrictEqual([]);
  });

  it.each(NAMED)('names an existing test: %s, %s', (file, title) => {
    expect(readFileSync(file, 'utf8')).toContain(title);
  });
});
