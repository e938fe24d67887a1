// `npm run bench`: all rivals under the same load, as a table in docs/performance.md.
// -- --only set,distinct  prints these cases alone, and writes nothing; --dry prints all and writes nothing.
import { parseArgs } from 'node:util';
import { startDatabase } from './rows.js';
import { killServers, leaveServerCore } from './servers.js';
import { CASE_IDS, runSuite } from './suite.js';
import { ratesTable } from './report.js';

const { values: options } = parseArgs({
  options: { only: { type: 'string' }, dry: { type: 'boolean', default: false } },
});
const rounds = Number(process.env.BENCH_ROUNDS ?? 5);
const seconds = Number(process.env.BENCH_SECONDS ?? 2);

leaveServerCore();
const database = await startDatabase();
try {
  const results = await runSuite(database, { only: options.only?.split(',') ?? CASE_IDS, rounds, seconds });
  process.stdout.write(`${ratesTable(results)}\n`);
} finally {
  killServers();
  await database.stop();
}
