import { linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Another process has the data folder: two Postgres on one folder would destroy it. */
export class FolderLockedError extends Error {
  constructor(folder: string, pid: number) {
    super(
      `The data folder ${folder} is in use by process ${pid}. ` +
        'Stop that process, or give this one a folder of its own with DATA_DIR.',
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
  writeFileSync(draft, `${process.pid} ${startOf(process.pid)}\n`, { mode: 0o600 });
  try {
    return takeFile(path, draft, folder);
  } finally {
    rmSync(draft, { force: true });
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
    const holder = readHolder(path);
    if (holder === null) continue;
    const [pid = '', started = ''] = holder.trim().split(' ');
    if (isAlive(Number(pid), started)) throw new FolderLockedError(folder, Number(pid));
    const release = takeFile(`${path}.dead`, draft, folder);
    try {
      if (readHolder(path) === holder) rmSync(path);
    } finally {
      release();
    }
  }
}

/** Null for a file that has gone meanwhile. */
function readHolder(path: string): string | null {
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
