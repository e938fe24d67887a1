import { randomUUID } from 'node:crypto';
import { mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { namesIn } from '../platform/folder.js';

const TEMPORARY = '.tmp';

/** A file that is written, but not yet in its place. */
export interface StagedFile {
  /** Moves it to its place; does nothing if the content is there already. */
  place(): Promise<void>;
  /** Removes a file that was written and not moved. */
  discard(): Promise<void>;
}

/**
 * Files under the SHA-256 of their content, `<2 digits>/<64 digits>`. A file is complete or absent, even if the process
 * is killed: it is written beside its place, synced, and renamed.
 */
export class OriginalFiles {
  constructor(private readonly folder: string) {}

  /** Writes content beside its place, unless it is stored already. */
  async stage(sha256: string, content: Buffer): Promise<StagedFile> {
    const path = this.pathOf(sha256);
    let temporary = (await exists(path)) ? null : await this.writeBeside(path, content);
    return {
      place: async () => {
        if (await exists(path)) return;
        temporary ??= await this.writeBeside(path, content);
        await rename(temporary, path);
        temporary = null;
        await syncFolder(dirname(path));
      },
      discard: async () => {
        if (temporary !== null) await rm(temporary, { force: true });
      },
    };
  }

  /** The path of a content, which exists once the content is placed. Only digits reach it, never a client's input. */
  pathOf(sha256: string): string {
    if (!/^[0-9a-f]{64}$/.test(sha256)) throw new Error('A file is named by its SHA-256');
    return join(this.folder, sha256.slice(0, 2), sha256);
  }

  async remove(sha256: string): Promise<void> {
    await rm(this.pathOf(sha256), { force: true });
  }

  /** Removes incomplete files of killed processes. @param age Milliseconds; newer files may be in use. */
  async removeLeftovers(age: number): Promise<void> {
    for (const folder of await namesIn(this.folder)) {
      if (!/^[0-9a-f]{2}$/.test(folder)) continue;
      for (const name of await namesIn(join(this.folder, folder))) {
        if (!name.endsWith(TEMPORARY)) continue;
        const path = join(this.folder, folder, name);
        const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: Infinity }));
        if (Date.now() - mtimeMs >= age) await rm(path, { force: true });
      }
    }
  }

  private async writeBeside(path: string, content: Buffer): Promise<string> {
    const folder = dirname(path);
    if ((await mkdir(folder, { recursive: true, mode: 0o700 })) !== undefined) await syncFolder(this.folder);
    const temporary = join(folder, `${randomUUID()}${TEMPORARY}`);
    try {
      const file = await open(temporary, 'wx', 0o600);
      try {
        await file.writeFile(content);
        await file.sync();
      } finally {
        await file.close();
      }
      return temporary;
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
  }
}

/** A rename is durable once its folder is synced: fsync(2). */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    (entry) => entry.isFile(),
    () => false,
  );
}
