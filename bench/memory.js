// What rows and tokens leave in memory. Run by `npm run bench:growth` in a process of its own, with the database's
// settings; writes JSON.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { openPieces } from './pixseal.js';
import { numbered, SEED } from './rows.js';
import { mintDistinct, seal, seedSteps } from './workloads.js';

const PORTION = 10_000;
const PORTIONS = 7;
/** Look-ups at a time. */
const AT_ONCE = 100;

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc');

const pieces = await openPieces();
const token = seal({ transformations: seedSteps(), sharinpix: {} });
const points = [
  ...(await follow('rows of images', (index) => pieces.decide(numbered(1, index + 1), token))),
  ...(await followTokens()),
];
process.stdout.write(`${JSON.stringify(points)}\n`);
await pieces.close();

async function followTokens() {
  const { tokens } = mintDistinct(PORTION * PORTIONS);
  // Sealed texts are made as they are used, and kept by nobody here.
  const texts = tokens.map((text) => Buffer.from(text));
  tokens.length = 0;
  return follow('distinct tokens', (index) => pieces.decide(SEED.imageId, texts[index].toString('latin1')));
}

async function follow(series, deliver) {
  for (let index = 0; index < 1_000; index += 1) await deliver(index);
  const start = inUse();
  const points = [{ series, x: 0, y: 0 }];
  for (let portion = 0; portion < PORTIONS; portion += 1) {
    for (let from = portion * PORTION; from < (portion + 1) * PORTION; from += AT_ONCE) {
      await Promise.all(Array.from({ length: AT_ONCE }, (_, index) => deliver(from + index)));
    }
    points.push({ series, x: (portion + 1) * PORTION, y: inUse() - start });
  }
  return points;
}

/** MiB, of the heap and what hangs on it. */
function inUse() {
  collect();
  const { heapUsed, external } = process.memoryUsage();
  return (heapUsed + external) / 2 ** 20;
}
