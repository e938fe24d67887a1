// The ratios that were measured last, for `npm run bench:check`.
import { readFileSync, writeFileSync } from 'node:fs';
import { ratios } from './report.js';
import { median } from './suite.js';

const FILE = new URL('ratios.json', import.meta.url);

/** Of each case, to the bare server: answers a second, and processor time for an answer. */
export function mediansOf(results) {
  const bare = results.find(({ id }) => id === 'bare');
  return Object.fromEntries(
    results
      .filter((result) => result !== bare)
      .map((result) => {
        const { rate, cost } = ratios(result, bare);
        return [result.id, { rate: round(median(rate)), cost: round(median(cost)) }];
      }),
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
