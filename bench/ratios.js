// The ratios that were measured last, for `npm run bench:check`.
import { readFileSync, writeFileSync } from 'node:fs';
import { median } from './suite.js';

const FILE = new URL('ratios.json', import.meta.url);

/** Of each case, to the bare server: answers a second, and processor time for an answer. */
export function mediansOf(results) {
  return Object.fromEntries(
    results
      .filter(({ id }) => id !== 'bare')
      .map(({ id, toBare }) => [id, { rate: round(median(toBare.rate)), cost: round(median(toBare.cost)) }]),
  );
}

export function storeRatios(run, results) {
  writeFileSync(FILE, `${JSON.stringify({ run, ratios: mediansOf(results) }, null, 2)}\n`);
}

/** @returns {{ run: string, ratios: Record<string, { rate: number, cost: number }> }} */
export function readRatios() {
  return JSON.parse(readFileSync(FILE, 'utf8'));
}

const round = (ratio) => Number(ratio.toPrecision(3));
