import { median } from './suite.js';

/** Each round's figure against the same round's of the bare server, so that a slow minute slows both. */
export function ratios(result, bare) {
  return {
    rate: result.rates.map((rate, round) => rate / bare.rates[round]),
    cost: result.costs.map((cost, round) => bare.costs[round] / cost),
  };
}

export function ratesTable(results) {
  const bare = results.find(({ id }) => id === 'bare');
  const rows = results.map((result) => {
    const { rate, cost } = ratios(result, bare);
    const { open } = result;
    return [
      result.name,
      spread(result.rates, 0),
      spread(rate, 2),
      spread(cost, 2),
      median(result.costs).toFixed(1),
      `${Math.round(100 * median(result.shares))} %`,
      [open.p50, open.p99, open.p999].map((time) => time.toFixed(2)).join(' / '),
      `${Math.round(result.memory)}`,
    ];
  });
  return table(
    [
      'what',
      'answers/s',
      'to bare',
      'to bare, by processor time',
      'µs of processor',
      'of its core',
      'p50 / p99 / p99.9 at half rate, ms',
      'resident, MiB',
    ],
    rows,
  );
}

/** Median, and the least and the most. */
export function spread(values, decimals) {
  const write = (value) => value.toFixed(decimals);
  return `${write(median(values))} (${write(Math.min(...values))}–${write(Math.max(...values))})`;
}

export function table(heads, rows) {
  return [heads, heads.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}
