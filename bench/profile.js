// `npm run bench:profile`: where the processor's time goes under distinct tokens, as a flame graph in
// docs/performance/flame.svg and a list of the functions that take most themselves.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeRun } from './machine.js';
import { MAIN } from './pixseal.js';
import { drawFlames } from './plots.js';
import { table, writeSection } from './report.js';
import { startDatabase } from './rows.js';
import { killServers, leaveServerCore, startServer } from './servers.js';
import { makeWorkloads, measure } from './suite.js';

const seconds = Number(process.env.BENCH_SECONDS ?? 5);
const LISTED = 25;
/** Frames narrower than this part of the whole are not drawn. */
const VISIBLE = 0.002;
const NO_WORK = new Set(['(idle)', '(root)', '(program)']);

/** Lines of the bundle's files, by their URL. */
const bundled = new Map();

leaveServerCore();
const folder = mkdtempSync(join(tmpdir(), 'pixseal-profile-'));
const database = await startDatabase();
try {
  const { distinct } = await makeWorkloads(database.rows, new Set(['distinct']));
  const started = performance.now();
  const server = await startServer(['--cpu-prof', `--cpu-prof-dir=${folder}`, ...MAIN], database.settings);
  await measure({ name: 'warm-up', server, workload: distinct }, { seconds });
  const from = performance.now() - started;
  const run = await measure({ name: 'profile', server, workload: distinct }, { seconds });
  await server.stop();
  const [file] = readdirSync(folder);
  const { root, total } = readProfile(
    JSON.parse(readFileSync(join(folder, file), 'utf8')),
    from,
    seconds * 1_000,
  );
  drawFlames(
    'flame',
    `Distinct tokens and chains: ${run.cost.toFixed(0)} µs of processor for a redirect, profiled`,
    boxes(root, total),
  );
  const list = table(
    ['function', 'where', 'of the time, itself'],
    topFunctions(root)
      .slice(0, LISTED)
      .map(({ name, place, self }) => [
        `\`${name}\``,
        `\`${place}\``,
        `${((100 * self) / total).toFixed(1)} %`,
      ]),
  );
  process.stdout.write(`${list}\n`);
  writeSection(
    'profile',
    `${describeRun(database.version)}\n\n![Flame graph](performance/flame.svg)\n\n${list}`,
  );
} finally {
  killServers();
  await database.stop();
  rmSync(folder, { recursive: true, force: true });
}

/** V8's samples of a span, in milliseconds after its start, as a tree; time is in microseconds. */
function readProfile({ nodes, samples, timeDeltas }, from, length) {
  const self = new Map();
  let at = 0;
  for (const [index, id] of samples.entries()) {
    at += timeDeltas[index];
    if (at >= from * 1_000 && at < (from + length) * 1_000)
      self.set(id, (self.get(id) ?? 0) + timeDeltas[index]);
  }
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const grow = (id) => {
    const { callFrame, children = [] } = byId.get(id);
    const grown = children.map(grow).filter(({ frame, time }) => time > 0 && !NO_WORK.has(frame.name));
    const own = self.get(id) ?? 0;
    const time = grown.reduce((sum, child) => sum + child.time, own);
    return { frame: frameOf(callFrame), own, time, children: grown };
  };
  const root = grow(nodes[0].id);
  return { root, total: root.children.reduce((sum, child) => sum + child.time, 0) };
}

function frameOf({ functionName, url, lineNumber }) {
  const name = functionName === '' ? '(anonymous)' : functionName;
  if (url.startsWith('node:')) return { name, owner: 'Node', place: `${url}:${lineNumber + 1}` };
  const module = url.includes('/dist/server/') ? bundledModule(url, lineNumber) : url;
  const packaged = /.*node_modules\/((?:@[^/]+\/)?[^/]+)\/(.*)$/.exec(module);
  if (packaged !== null) return { name, owner: ownerOf(packaged[1]), place: `${packaged[1]}/${packaged[2]}` };
  if (module.startsWith('dist/src/')) return { name, owner: 'Pixseal', place: module };
  // A regular expression's name is its text.
  return { name: name.replaceAll('|', '¦').slice(0, 40), owner: 'V8 and system calls', place: 'V8' };
}

/** The module that a line of the bundle is from: it stands in a comment above it. */
function bundledModule(url, lineNumber) {
  if (!bundled.has(url)) bundled.set(url, readFileSync(new URL(url), 'utf8').split('\n'));
  const lines = bundled.get(url);
  for (let at = lineNumber; at >= 0; at -= 1) {
    const found = /^\/\/ ((?:dist\/src|node_modules)\/\S+)$/.exec(lines[at] ?? '');
    if (found !== null) return found[1];
  }
  return url;
}

function ownerOf(name) {
  if (/^(@fastify\/.*|fastify|find-my-way|avvio|fast-.*|secure-json-parse|light-my-request)$/.test(name))
    return 'Fastify';
  if (name.startsWith('@nestjs/') || name === 'rxjs') return 'Nest';
  return 'other packages';
}

function boxes(root, total) {
  const drawn = [];
  const place = (node, left, depth) => {
    const width = node.time / total;
    if (width < VISIBLE) return;
    drawn.push({ ...node.frame, left, right: left + width, depth });
    let next = left;
    for (const child of merged(node.children)) {
      place(child, next, depth + 1);
      next += child.time / total;
    }
  };
  let left = 0;
  for (const child of merged(root.children)) {
    place(child, left, 0);
    left += child.time / total;
  }
  return drawn;
}

/** V8 keeps a function apart by the line that calls it; a reader does not. Widest first. */
function merged(nodes) {
  const byFrame = new Map();
  for (const node of nodes) {
    const key = `${node.frame.name} ${node.frame.place}`;
    const known = byFrame.get(key);
    if (known === undefined) byFrame.set(key, { ...node, children: [...node.children] });
    else {
      known.time += node.time;
      known.children.push(...node.children);
    }
  }
  return [...byFrame.values()].sort((a, b) => b.time - a.time);
}

function topFunctions(root) {
  const byFrame = new Map();
  const count = ({ frame, own, children }) => {
    const key = `${frame.name} ${frame.place}`;
    const known = byFrame.get(key) ?? { ...frame, self: 0 };
    known.self += own;
    byFrame.set(key, known);
    children.forEach(count);
  };
  root.children.forEach(count);
  return [...byFrame.values()].sort((a, b) => b.self - a.self);
}
