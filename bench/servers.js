// Servers as processes of their own: started, pinned to a core, measured from outside and ended.
import { spawn, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { cpus } from 'node:os';
import { findFreePort } from './pixseal.js';

/** The core of whichever server is measured; load generator and Postgres have the others. */
const SERVER_CORE = '0';
export const ALL_CORES = `0-${cpus().length - 1}`;
const PATIENCE = 120_000;
/** Clock ticks a second in /proc, on every Linux that Node runs on. */
const TICKS = 100;

const running = new Set();
process.once('exit', killServers);
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1));

/** Leaves the servers' core to the servers: this process, and all that it starts without a core of its own. */
export function leaveServerCore() {
  if (cpus().length < 2) throw new Error('A server needs a core for itself: this machine has but one');
  const { status, error } = spawnSync('taskset', ['-acp', `1-${cpus().length - 1}`, String(process.pid)]);
  if (status !== 0) throw new Error(`taskset, of util-linux, did not work: ${error ?? status}`);
}

/**
 * Starts a program and waits until its port takes connections.
 * @param {string[]} args Node's.
 * @param {Record<string, string>} variables Its environment; `PORT` is chosen.
 * @param {{ cores?: string }} [where] The cores it may use, as taskset has them.
 */
export async function startServer(args, variables, { cores = SERVER_CORE } = {}) {
  const port = await findFreePort();
  const started = performance.now();
  const child = spawn('taskset', ['-c', cores, process.execPath, ...args], {
    env: { PATH: process.env.PATH, NODE_ENV: 'production', PORT: String(port), ...variables },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const exited = new Promise((resolve) => child.once('exit', resolve));
  running.add(child);
  void exited.then(() => running.delete(child));
  while (!(await isListening(port))) {
    if (child.exitCode !== null) throw new Error(`${args.join(' ')} ended with ${child.exitCode}`);
    if (performance.now() - started > PATIENCE) throw new Error(`${args.join(' ')} does not listen`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  return {
    pid: child.pid,
    port,
    /** Milliseconds from its start to its first connection. */
    startTime: performance.now() - started,
    /** Seconds of processor time so far, its children's included. */
    processorTime: () => sum(family(child.pid).map(processorTime)),
    /** MiB that are resident, its children's included. */
    memory: () => sum(family(child.pid).map(residentMemory)),
    stop: async () => {
      child.kill('SIGTERM');
      await exited;
    },
  };
}

/** Runs a program to its end on the servers' core. @returns What it wrote. */
export function runPinned(program, variables) {
  const { status, stdout } = spawnSync('taskset', ['-c', SERVER_CORE, process.execPath, program], {
    env: { PATH: process.env.PATH, NODE_ENV: 'production', ...variables },
    stdio: ['ignore', 'pipe', 'inherit'],
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`${program} ended with ${status}`);
  return stdout;
}

/** Ends whatever still runs. */
export function killServers() {
  for (const child of running) child.kill('SIGKILL');
}

function isListening(port) {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => {
      resolve(false);
    });
  });
}

function family(pid) {
  const children = readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
    readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8').split(' ').filter(Boolean),
  );
  return [pid, ...children.flatMap((child) => family(Number(child)))];
}

/** Seconds of processor time of a process so far, of all its threads. @param {number} pid */
export function processorTime(pid) {
  // The command's name, in brackets, may hold spaces.
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) / TICKS;
}

function residentMemory(pid) {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;
}

function sum(values) {
  return values.reduce((total, value) => total + value, 0);
}
