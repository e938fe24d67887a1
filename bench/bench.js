// `npm run bench`: all rivals under the same load; the tables of docs/performance.md, and what bench:check compares.
// With `-- --dry` it prints them and writes nothing; with `-- --only set,distinct` likewise, of these cases alone.
import { parseArgs } from 'node:util';
import { measureMemory, measureStarts } from './life.js';
import { describeRun } from './machine.js';
import { storeRatios } from './ratios.js';
import { lifeTable, microTable, ratesTable, targetsTable, writeSection } from './report.js';
import { startDatabase } from './rows.js';
import { killServers, leaveServerCore, runPinned } from './servers.js';
import { CASE_IDS, runSuite } from './suite.js';

const { values: options } = parseArgs({
  options: { only: { type: 'string' }, dry: { type: 'boolean', default: false } },
});
const rounds = Number(process.env.BENCH_ROUNDS ?? 7);
const seconds = Number(process.env.BENCH_SECONDS ?? 1);
const only = options.only?.split(',');
const unknown = only?.filter((id) => !CASE_IDS.includes(id)) ?? [];
if (unknown.length > 0) throw new Error(`No case ${unknown.join(', ')}; there are ${CASE_IDS.join(', ')}`);

leaveServerCore();
const database = await startDatabase();
try {
  const run = `${describeRun(database.version)} ${rounds} rounds of ${seconds} s each.`;
  const results = await runSuite(database, { only, rounds, seconds });
  const rates = `${run}\n\n${ratesTable(results)}`;
  process.stdout.write(`${rates}\n\n`);
  if (only === undefined) {
    const starts = await measureStarts(database.settings);
    const memory = await measureMemory(database, 6 * seconds);
    const micro = JSON.parse(runPinned('bench/micro.js', database.settings));
    const sections = {
      targets: `${run}\n\n${targetsTable(results, { starts, memory, micro })}`,
      life: lifeTable({ starts, memory }),
      micro: microTable(micro),
    };
    process.stdout.write(`${Object.values(sections).join('\n\n')}\n`);
    if (!options.dry) {
      for (const [name, text] of Object.entries({ rates, ...sections })) writeSection(name, text);
      storeRatios(run, results);
    }
  }
} finally {
  killServers();
  await database.stop();
}
