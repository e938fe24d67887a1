import {
  linkSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';

/** Another process uses the data folder. Two Postgres on one folder would destroy it. */
export class FolderLockedError extends Error {
  /** @param elsewhere Whether it runs in another container, by its heartbeats. */
  constructor(folder: string, pid: number, elsewhere: boolean) {
    super(
      `The data folder ${folder} is in use by process ${pid}${elsewhere ? ' of another container' : ''}. ` +
        'Stop that process, or set DATA_DIR to another folder.' +
        (elsewhere ? ` Was it killed, its folder is free after ${SILENCE / 1000} seconds.` : ''),
    );
    this.name = 'FolderLockedError';
  }
}

/**
 * Locks a folder for this process until the returned function is called or the process ends.
 * @throws FolderLockedError
 */
export function lockFolder(folder: string): () => void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const path = lockPath(folder);
  // A link creates the file together with its content, so that no process reads an empty one.
  const draft = `${path}.${process.pid}`;
  writeFileSync(draft, `${process.pid} ${startOf(process.pid)} ${NAMESPACE}\n`, { mode: 0o600 });
  try {
    const release = takeFile(path, draft, folder);
    const beat = setInterval(touch, BEAT, path).unref();
    return () => {
      clearInterval(beat);
      release();
    };
  } finally {
    rmSync(draft, { force: true });
  }
}

/**
 * Records the address of the service that has locked a folder, for `findLockAddress`.
 * @param folder One that this process has locked.
 */
export function announceAddress(folder: string, address: string): void {
  const path = lockPath(folder);
  // A rename replaces the file as a whole.
  const draft = `${path}.${process.pid}`;
  writeFileSync(draft, `${readFileSync(path, 'utf8').trim()} ${address}\n`, { mode: 0o600 });
  renameSync(draft, path);
}

/**
 * The address of the service that has locked a folder. Null if the folder is not locked, or its process has no address
 * or runs in another container.
 */
export function findLockAddress(folder: string): string | null {
  const owner = readOwner(lockPath(folder));
  if (owner === null) return null;
  const [pid = '', started = '', namespace = NAMESPACE, address] = owner.trim().split(' ');
  const isHere = namespace === NAMESPACE && isAlive(Number(pid), started);
  return isHere ? (address ?? null) : null;
}

const lockPath = (folder: string): string => join(folder, 'pixseal.pid');

/** Milliseconds between two heartbeats, and without one until the process is regarded as dead. */
const BEAT = 5_000;
const SILENCE = 30_000;

/** The namespace of pids: in another container the same number is another process. `-` without /proc. */
const NAMESPACE = namespaceOf();

function namespaceOf(): string {
  try {
    return readlinkSync('/proc/self/ns/pid');
  } catch {
    return '-';
  }
}

function touch(path: string): void {
  const now = new Date();
  try {
    utimesSync(path, now, now);
  } catch {
    // The folder was removed: there is nothing to lock.
  }
}

/**
 * Of several processes that find a dead process's file, only one may remove it: a second one would remove the new file of
 * the first. That right is a lock file of the same kind.
 */
function takeFile(path: string, draft: string, folder: string): () => void {
  for (;;) {
    try {
      linkSync(draft, path);
      return () => {
        rmSync(path, { force: true });
      };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const owner = readOwner(path);
    if (owner === null) continue;
    const [pid = '', started = '', namespace = NAMESPACE] = owner.trim().split(' ');
    const alive = namespace === NAMESPACE ? isAlive(Number(pid), started) : isListening(path);
    if (alive) throw new FolderLockedError(folder, Number(pid), namespace !== NAMESPACE);
    const release = takeFile(`${path}.dead`, draft, folder);
    try {
      if (readOwner(path) === owner) rmSync(path);
    } finally {
      release();
    }
  }
}

/** Null for a file that no longer exists. */
function readOwner(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

function isAlive(pid: number, started: string): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
  return startOf(pid) === started;
}

/** Whether the owner's heartbeat is recent: all that is known of a process in another container. */
function isListening(path: string): boolean {
  const stat = statSync(path, { throwIfNoEntry: false });
  return stat !== undefined && Date.now() - stat.mtimeMs < SILENCE;
}

/** When a process started, which distinguishes it from a later one with the same pid; `-` without /proc. */
function startOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // Field 22, counted from behind the command's name, which may contain spaces and brackets: proc(5).
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '-';
  } catch {
    return '-';
  }
}
