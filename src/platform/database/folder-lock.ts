import {
  linkSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';

/** Another process has the data folder: two Postgres on one folder would destroy it. */
export class FolderLockedError extends Error {
  /** @param elsewhere In another container, by the signs of life that it gives. */
  constructor(folder: string, pid: number, elsewhere: boolean) {
    super(
      `The data folder ${folder} is in use by process ${pid}${elsewhere ? ' of another container' : ''}. ` +
        'Stop that process, or give this one a folder of its own with DATA_DIR.' +
        (elsewhere ? ` Was it killed, its folder is free after ${SILENCE / 1000} seconds.` : ''),
    );
    this.name = 'FolderLockedError';
  }
}

/**
 * Takes a folder for this process until the returned function is called, or the process is gone.
 * @throws FolderLockedError
 */
export function lockFolder(folder: string): () => void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const path = join(folder, 'pixseal.pid');
  // Linked into its place, the file is there with its content or not at all: nobody finds an empty one.
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

/** Milliseconds between two signs of life, and without one for so long that their giver counts as dead. */
const BEAT = 5_000;
const SILENCE = 30_000;

/** Where a pid means something: in another container the same number is another process, or none. `-` without /proc. */
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
    // Somebody has taken the folder away: then there is nothing to hold.
  }
}

/**
 * Of those who find a dead process's file at once, one alone may remove it, or the second would remove the first's
 * own: that right is a file of the same kind, which is taken in the same way.
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
    const alive = namespace === NAMESPACE ? isAlive(Number(pid), started) : isHeard(path);
    if (alive) throw new FolderLockedError(folder, Number(pid), namespace !== NAMESPACE);
    const release = takeFile(`${path}.dead`, draft, folder);
    try {
      if (readOwner(path) === owner) rmSync(path);
    } finally {
      release();
    }
  }
}

/** Null for a file that has gone meanwhile. */
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

/** Whether the holder has given a sign of life lately: all that is known of one in another container. */
function isHeard(path: string): boolean {
  const stat = statSync(path, { throwIfNoEntry: false });
  return stat !== undefined && Date.now() - stat.mtimeMs < SILENCE;
}

/** When a process began, so that a reused pid is not taken for the one that was killed; `-` where no /proc tells. */
function startOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // Field 22, counted behind the command's name, which may itself hold spaces and brackets: proc(5).
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '-';
  } catch {
    return '-';
  }
}
