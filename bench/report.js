// Results as the tables of docs/performance.md and docs/scale.md.
import { readFileSync, writeFileSync } from 'node:fs';
import { median } from './suite.js';

export function ratesTable(results) {
  const rows = results.map((result) => [
    result.name,
    spread(result.rates, 0),
    spread(result.toBare.rate, 2),
    spread(result.toBare.cost, 2),
    median(result.costs).toFixed(1),
    `${Math.round(100 * median(result.shares))} %`,
    times(result.closed),
    times(result.open),
    String(Math.round(result.memory)),
    '0',
  ]);
  return table(
    [
      'what',
      'responses/s',
      'to bare',
      'to bare, by processor time',
      'µs of processor',
      'processor, of one core',
      'full rate: p50 / p99 / p99.9 ms',
      'half rate: p50 / p99 / p99.9 ms',
      'resident MiB',
      'errors',
    ],
    rows,
  );
}

const times = (rounds) =>
  ['p50', 'p99', 'p999'].map((kind) => median(rounds.map((round) => round[kind])).toFixed(2)).join(' / ');

/** By case: the least ratios of one of 1,000 tokens, and of distinct ones. */
const PRODUCTION_TARGETS = [
  ['shipped', 'as shipped', 0.75, 0.44],
  ['all', 'with logs, Redis and traces', 0.55, 0.35],
  ['off', 'logs off', 0.9, 0.5],
  ['redis', 'with Redis', 0.65, 0.4],
  ['traced', 'with traces at 1 %', 0.65, 0.4],
];

/** The targets, each beside what was measured. */
export function targetsTable(results, { starts, memory, micro }) {
  const find = (id) => results.find((result) => result.id === id);
  const toBare = (id) => median(find(id).toBare.rate);
  const between = (id, other) =>
    median(find(id).toBare.rate.map((rate, round) => rate / find(other).toBare.rate[round]));
  const tail = (id) => median(find(id).open.map(({ p99 }) => p99));
  const atLeast = (what, measured, target, unit = '×') => [
    what,
    `≥ ${target} ${unit}`,
    `${measured.toFixed(2)} ${unit}`,
    measured >= target ? 'yes' : 'no',
  ];
  const atMost = (what, measured, target, unit) => [
    what,
    `≤ ${target} ${unit}`,
    `${measured.toFixed(target < 20 ? 2 : 0)} ${unit}`,
    measured <= target ? 'yes' : 'no',
  ];
  return table(
    ['what', 'target', 'measured', 'met'],
    [
      ...PRODUCTION_TARGETS.flatMap(([id, what, set, distinct]) => [
        atLeast(`${what}: one of 1,000 production tokens, to bare \`node:http\``, toBare(`${id}-set`), set),
        atLeast(
          `${what}: distinct production tokens, to bare \`node:http\``,
          toBare(`${id}-distinct`),
          distinct,
        ),
      ]),
      atLeast('cached redirect, one token, to bare `node:http`', toBare('one'), 0.8),
      atLeast('cached redirect, working set, to bare `node:http`', toBare('set'), 0.8),
      atLeast('distinct tokens and chains, to bare `node:http`', toBare('distinct'), 0.5),
      atLeast('refused tokens, to the distinct rate', between('refused', 'distinct'), 1),
      atLeast('rows not seen before, to bare `node:http`', toBare('cold'), 0.2),
      atLeast('bulk, distinct production tokens: URLs to bare requests', toBare('bulk-production'), 2),
      atLeast('bulk, working set: URLs to bare requests', toBare('bulk-set'), 2.5),
      atLeast('working set, to a user’s own', between('set', 'own'), 30),
      atLeast('distinct tokens and chains, to a user’s own', between('distinct', 'own'), 30),
      atLeast('working set, to its careful twin', between('set', 'twin'), 2),
      atLeast('distinct tokens and chains, to its careful twin', between('distinct', 'twin'), 2),
      atMost('p99 at half the maximal rate, working set', tail('set'), 5, 'ms'),
      atMost('p99 at half the maximal rate, distinct', tail('distinct'), 5, 'ms'),
      atMost(
        'memory under distinct tokens, few rows, above the bare server’s',
        memory.pixseal - memory.bare,
        60,
        'MiB',
      ),
      atMost('start to listening on Postgres', median(starts.postgres), 1200, 'ms'),
      atMost('start to listening, embedded, second start', median(starts.embeddedSecond), 2000, 'ms'),
      atMost('check and signature of a distinct token', micro.check.p50 + micro.sign.p50, 10, 'µs'),
    ],
  );
}

export function lifeTable({ starts, memory }) {
  return table(
    ['what', 'measured'],
    [
      ['start to listening on Postgres', `${spread(starts.postgres, 0)} ms`],
      [
        'start to listening, embedded, first start (creates the database)',
        `${spread(starts.embeddedFirst, 0)} ms`,
      ],
      ['start to listening, embedded, second start', `${spread(starts.embeddedSecond, 0)} ms`],
      ['resident after the start, on Postgres', `${Math.round(memory.idle)} MiB`],
      ['resident under distinct tokens, peak', `${Math.round(memory.pixseal)} MiB`],
      ['the bare server, resident under load, peak', `${Math.round(memory.bare)} MiB`],
    ],
  );
}

export function microTable(micro) {
  return table(
    ['what', 'by', 'µs', 'middle half'],
    Object.values(micro).map(({ what, by, p25, p50, p75 }) => [
      what,
      by,
      p50.toFixed(2),
      `${p25.toFixed(2)}–${p75.toFixed(2)}`,
    ]),
  );
}

/** Replaces the text between `<!-- name -->` and `<!-- /name -->` in a document of docs/. */
export function writeSection(name, text, file = 'performance.md') {
  const path = new URL(`../docs/${file}`, import.meta.url);
  const document = readFileSync(path, 'utf8');
  const [begin, end] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
  const [from, to] = [document.indexOf(begin), document.indexOf(end)];
  if (from === -1 || to < from) throw new Error(`docs/${file} has no section ${name}`);
  const written = `${document.slice(0, from + begin.length)}\n\n${text}\n\n${document.slice(to)}`;
  writeFileSync(path, written);
}

/** Median, and the least and the most; of the bare server to itself, 1. */
export function spread(values, decimals) {
  const write = (value) => value.toFixed(decimals);
  if (values.length === 0) return '1';
  return values.length === 1
    ? write(values[0])
    : `${write(median(values))} (${write(Math.min(...values))}–${write(Math.max(...values))})`;
}

export function table(heads, rows) {
  return [heads, heads.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}
