// `npm run bench:check`: whether Pixseal has become slower beside a bare server than when the ratios were stored.
import { readRatios, mediansOf } from './ratios.js';
import { startDatabase } from './rows.js';
import { killServers, leaveServerCore } from './servers.js';
import { runSuite } from './suite.js';

/**
 * How far a ratio may fall on the same code. A case fails where both of its ratios have fallen further: a slower
 * Pixseal shows in both, a neighbour on the machine mostly in one.
 */
const NOISE = 0.15;
const CASES = ['one', 'set', 'one-chain', 'distinct', 'refused', 'public', 'bulk-set', 'bulk'];
const rounds = Number(process.env.BENCH_ROUNDS ?? 5);
const seconds = Number(process.env.BENCH_SECONDS ?? 1);

leaveServerCore();
const stored = readRatios();
const database = await startDatabase();
let failed = false;
try {
  const measured = mediansOf(await runSuite(database, { only: CASES, rounds, seconds }));
  process.stdout.write(`Stored: ${stored.run}\n`);
  for (const [id, now] of Object.entries(measured)) {
    const then = stored.ratios[id];
    const change = (kind) => now[kind] / then[kind] - 1;
    const slower = Math.max(change('rate'), change('cost')) < -NOISE;
    failed ||= slower;
    const shown = ['rate', 'cost'].map(
      (kind) => `${kind} ${then[kind]} -> ${now[kind]} (${percent(change(kind))})`,
    );
    process.stdout.write(`${slower ? 'SLOWER' : 'ok    '} ${id.padEnd(10)} ${shown.join(', ')}\n`);
  }
} finally {
  killServers();
  await database.stop();
}
process.exitCode = failed ? 1 : 0;

function percent(change) {
  return `${change < 0 ? '' : '+'}${Math.round(100 * change)} %`;
}
