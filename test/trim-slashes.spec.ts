import { expect, it } from 'vitest';
import { trimSlashes } from '../src/domain/trim-slashes.js';

it.each([
  ['', ''],
  ['///', ''],
  ['a', 'a'],
  ['//a//b//', 'a//b'],
])('a folder %j is %j without slashes at its ends', (path, trimmed) => {
  expect(trimSlashes(path)).toBe(trimmed);
});

it('a path with many slashes is as fast as any', () => {
  const path = `a${'/'.repeat(1_000_000)}b`;
  expect(trimSlashes(`/${path}/`)).toBe(path);
});
