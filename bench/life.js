// What a process needs beside its redirects: how long it takes to start, and how much memory it holds under load.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ALL_CORES, startServer } from './servers.js';
import { makeWorkloads, measure, startPixseal, takeAnswer } from './suite.js';

const STARTS = 5;
const SAMPLE = 100;

/** Milliseconds from start to the first connection, on all cores as an operator has them. */
export async function measureStarts(settings) {
  const postgres = [];
  for (let start = 0; start < STARTS; start += 1) postgres.push(await timeStart(settings));
  const folder = mkdtempSync(join(tmpdir(), 'pixseal-bench-'));
  try {
    const embedded = { DATA_DIR: folder, LOG_LEVEL: 'silent' };
    const embeddedFirst = await timeStart(embedded);
    const embeddedSecond = [];
    for (let start = 0; start < STARTS; start += 1) embeddedSecond.push(await timeStart(embedded));
    return { postgres, embeddedFirst: [embeddedFirst], embeddedSecond };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function timeStart(settings) {
  const server = await startPixseal(settings, { cores: ALL_CORES });
  await server.stop();
  return server.startTime;
}

/** MiB that fresh processes hold at the most while they answer distinct tokens, and a bare server while it answers. */
export async function measureMemory(database, seconds) {
  const workloads = await makeWorkloads(database.rows, new Set(['distinct', 'constant']));
  const pixseal = await startPixseal(database.settings);
  const idle = pixseal.memory();
  const answer = await takeAnswer(pixseal.port, workloads.one.request(0).split(' ')[1]);
  const bare = await startServer(['bench/rivals/bare.js'], { ANSWER: JSON.stringify(answer) });
  const measured = {
    idle,
    pixseal: await peak(pixseal, workloads.distinct, seconds),
    bare: await peak(bare, workloads.constant, seconds),
  };
  await pixseal.stop();
  await bare.stop();
  return measured;
}

async function peak(server, workload, seconds) {
  let most = 0;
  const timer = setInterval(() => (most = Math.max(most, server.memory())), SAMPLE);
  await measure({ name: 'memory', server, workload }, { seconds });
  clearInterval(timer);
  return most;
}
