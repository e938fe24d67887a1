// `npm run bench:growth`: how cost grows with rows, issuers, steps and connections, and memory with what is cached, as
// plots in docs/performance. With `-- --only chains` one of them alone.
import { parseArgs } from 'node:util';
import { describeRun } from './machine.js';
import { drawLines } from './plots.js';
import { writeSection } from './report.js';
import { insertImages, insertIssuers, startDatabase } from './rows.js';
import { killServers, leaveServerCore, runPinned, startServer } from './servers.js';
import { measure, startPixseal, takeAnswer } from './suite.js';
import * as ask from './workloads.js';

const seconds = Number(process.env.BENCH_SECONDS ?? 3);
/** More images than are cached: asked in turn, each is gone again when its turn comes. */
const ASKED_IMAGES = 60_000;
const DISTINCT = 30_000;
/** Rows, or tokens, that are asked for once each before a run counts. */
const RESIDENT = 10_000;
const LOG = { type: 'log' };
const COST = { label: 'µs of processor for a redirect' };

const PLOTS = {
  images: {
    title: 'Images in the database',
    x: { ...LOG, label: 'images', tickFormat: '~s' },
    y: COST,
    points: async ({ rows, settings }) => {
      const points = [];
      let there = 0;
      for (const count of [1, 100, 10_000, 1_000_000]) {
        await insertImages(rows, there + 1, count);
        there = count;
        await withPixseal(settings, async (server) => {
          const asked = Math.min(count, ASKED_IMAGES);
          const all = { name: 'all images in turn', server, workload: ask.imagesInTurn(asked, count) };
          const few = {
            name: 'the same 1,000 or fewer',
            server,
            workload: ask.imagesInTurn(Math.min(asked, 1_000), count),
          };
          for (const entry of [few, all])
            points.push({ x: count, series: entry.name, y: (await warmed(entry)).cost });
        });
      }
      return points;
    },
  },
  issuers: {
    title: 'Issuers requested in turn, each with a key and an image',
    x: { ...LOG, label: 'issuers', tickFormat: '~s' },
    y: COST,
    points: async ({ rows, settings }) => {
      const points = [];
      let there = 0;
      for (const count of [1, 100, 10_000]) {
        await insertIssuers(rows, there + 1, count);
        there = count;
        await withPixseal(settings, async (server) => {
          const entry = { name: 'one token of each issuer', server, workload: ask.issuersInTurn(count) };
          points.push({ x: count, series: entry.name, y: (await warmed(entry)).cost });
        });
      }
      return points;
    },
  },
  chains: {
    title: 'Steps of a token',
    x: { label: 'steps', ticks: [1, 4, 8, 16, 32] },
    y: COST,
    points: async ({ settings }) => {
      const points = [];
      await withPixseal(settings, async (server) => {
        for (const steps of [1, 2, 4, 8, 16, 32]) {
          const minted = ask.mintChains(DISTINCT, steps);
          const few = { tokens: minted.tokens.slice(0, 1_000), urls: minted.urls.slice(0, 1_000) };
          for (const [name, tokens] of [
            ['distinct tokens and chains', minted],
            ['working set of 1,000 tokens', few],
          ]) {
            const entry = { name, server, workload: ask.redirects(tokens) };
            points.push({ x: steps, series: name, y: (await warmed(entry)).cost });
          }
        }
      });
      return points;
    },
  },
  connections: {
    title: 'Connections that send requests continuously',
    x: { ...LOG, base: 2, label: 'connections', ticks: 10, tickFormat: 'd' },
    y: { label: 'answers a second', tickFormat: '~s' },
    points: overConnections((run) => run.rate),
  },
  latency: {
    title: 'What a connection waits, the more there are',
    x: { ...LOG, base: 2, label: 'connections', ticks: 10, tickFormat: 'd' },
    y: { label: 'p99, ms, at full rate' },
    points: overConnections((run) => run.latency.p99),
  },
  memory: {
    title: 'Memory that is kept, by kind of request',
    x: { label: 'rows, or tokens, all different', tickFormat: '~s' },
    y: { label: 'MiB in use after a collection, above the start' },
    points: async ({ rows, settings }) => {
      await insertImages(rows, 1, 70_000);
      return JSON.parse(runPinned('bench/memory.js', settings));
    },
  },
};

const { values: options } = parseArgs({ options: { only: { type: 'string' } } });
leaveServerCore();
let version = '';
try {
  for (const [name, { points, ...figure }] of Object.entries(PLOTS)) {
    if (options.only !== undefined && !options.only.split(',').includes(name)) continue;
    const database = await startDatabase();
    version = database.version;
    try {
      const measured = await points(database);
      drawLines(name, { ...figure, points: measured });
      for (const { series, x, y } of measured)
        process.stdout.write(`${name}: ${series}: ${x}: ${y.toFixed(2)}\n`);
    } finally {
      await database.stop();
    }
  }
} finally {
  killServers();
}
if (options.only === undefined) {
  const pictures = Object.entries(PLOTS).map(([name, { title }]) => `![${title}](performance/${name}.svg)`);
  writeSection('growth', [`${describeRun(version)} Runs of ${seconds} s.`, ...pictures].join('\n\n'));
}

async function withPixseal(settings, use) {
  const server = await startPixseal(settings);
  // V8 compiles what is hot.
  await measure(
    { name: 'warm-up', server, workload: ask.redirects(ask.mintDistinct(1_000)) },
    { seconds: 3, warmUp: true },
  );
  await use(server);
  await server.stop();
}

/** A run after everything in the workload was asked for once, where all of it can be in memory. */
async function warmed(entry) {
  const { workload } = entry;
  do await measure(entry, { seconds: 1, warmUp: true });
  while (workload.cursor < workload.count && workload.count <= RESIDENT);
  return measure(entry, { seconds });
}

function overConnections(take) {
  return async ({ settings }) => {
    const points = [];
    await withPixseal(settings, async (pixseal) => {
      const set = ask.redirects(ask.mintDistinct(1_000));
      const answer = await takeAnswer(pixseal.port, set.request(0).split(' ')[1]);
      const bare = await startServer(['bench/rivals/bare.js'], { ANSWER: JSON.stringify(answer) });
      const entries = [
        { name: 'bare node:http', server: bare, workload: ask.answeredAsFirst(set) },
        { name: 'Pixseal, working set of 1,000 tokens', server: pixseal, workload: set },
      ];
      for (const connections of [1, 4, 16, 64, 256, 512]) {
        for (const entry of entries) {
          const run = await measure(entry, { seconds, connections });
          points.push({ x: connections, series: entry.name, y: take(run) });
        }
      }
      await bare.stop();
    });
    return points;
  };
}
