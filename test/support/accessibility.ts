import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Page } from 'playwright-core';
import { expect } from 'vitest';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** The colour schemes and widths, in pixels, that every page is tested with. */
export const LOOKS = (['light', 'dark'] as const).flatMap((colorScheme) =>
  [1280, 390].map((width) => [colorScheme, width] as const),
);

/** Expects that axe finds no serious issue in a page, and that the page is not wider than its window. */
export async function expectAccessible(page: Page, width: number): Promise<void> {
  await page.evaluate(AXE);
  const issues = await page.evaluate(
    `axe.run().then(({ violations }) => violations
      .filter(({ impact }) => impact === 'serious' || impact === 'critical')
      .map(({ id, nodes }) => [id, nodes.map(({ html }) => html)]))`,
  );
  expect(issues).toStrictEqual([]);
  expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(width);
}
