import { randomUUID } from 'node:crypto';
import { mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { LRUCache } from 'lru-cache';
import type { RenderedImage } from './image/image-renderer.js';

type Meta = Omit<RenderedImage, 'body'>;

/** Bytes of the images in memory, and of the largest of them. */
const MEMORY = { total: 64 * 2 ** 20, largest: 2 ** 20 };

/**
 * Rendered images on disk, and small ones that were requested again in memory; both are limited in bytes, and the least
 * recently used are evicted first. A file is one line of JSON, then the body. It is written to a temporary file and
 * renamed, so that a crash leaves no partial file.
 */
export class DerivedCache {
  private readonly files: LRUCache<string, number>;
  private readonly images = new LRUCache<string, RenderedImage>({
    maxSize: MEMORY.total,
    maxEntrySize: MEMORY.largest,
    sizeCalculation: ({ body }) => body.length + 1,
  });
  /** Images whose files are being written. */
  private readonly writing = new Map<string, RenderedImage>();

  /** @param maxBytes Of all files. */
  constructor(
    private readonly folder: string,
    maxBytes: number,
  ) {
    this.files = new LRUCache({
      maxSize: maxBytes,
      sizeCalculation: (size) => size,
      dispose: (_, key, reason) => {
        if (reason !== 'evict') return;
        this.images.delete(key);
        rmSync(this.path(key), { force: true });
      },
    });
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    this.readFolder();
  }

  /** @param key Hexadecimal. @returns null if it is not cached. */
  async get(key: string): Promise<RenderedImage | null> {
    const written = this.writing.get(key);
    if (written) return written;
    if (this.files.get(key) === undefined) return null;
    const recent = this.images.get(key);
    if (recent) return recent;
    try {
      const file = await readFile(this.path(key));
      const end = file.indexOf(0x0a);
      const meta = JSON.parse(file.toString('utf8', 0, end)) as Meta;
      const image = { ...meta, body: file.subarray(end + 1) };
      this.images.set(key, image);
      return image;
    } catch {
      // The file was deleted by hand: it is only a cache.
      this.files.delete(key);
      return null;
    }
  }

  /** Until its file is written, `get` returns the image from memory. */
  async set(key: string, image: RenderedImage): Promise<void> {
    this.writing.set(key, image);
    await this.write(key, image).finally(() => this.writing.delete(key));
  }

  private async write(key: string, { body, ...meta }: RenderedImage): Promise<void> {
    const file = Buffer.concat([Buffer.from(`${JSON.stringify(meta)}\n`), body]);
    const path = this.path(key);
    const aside = `${path}.${randomUUID()}.part`;
    await mkdir(join(this.folder, key.slice(0, 2)), { recursive: true, mode: 0o700 });
    try {
      const handle = await open(aside, 'wx', 0o600);
      await handle.writeFile(file).finally(() => handle.close());
      await rename(aside, path);
    } catch (error) {
      await rm(aside, { force: true });
      throw error;
    }
    this.files.set(key, Math.max(1, file.length));
  }

  private path(key: string): string {
    return join(this.folder, key.slice(0, 2), key);
  }

  /** Files of an earlier process, oldest first, so that they are evicted first. */
  private readFolder(): void {
    const found = readdirSync(this.folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => ({ name: entry.name, path: join(entry.parentPath, entry.name) }));
    for (const { path } of found.filter(({ name }) => name.endsWith('.part'))) rmSync(path, { force: true });
    const whole = found
      .filter(({ name }) => /^[0-9a-f]{64}$/.test(name))
      .map(({ name, path }) => ({ name, ...pick(path) }))
      .sort((a, b) => a.mtimeMs - b.mtimeMs);
    for (const { name, size } of whole) this.files.set(name, Math.max(1, size));
  }
}

function pick(path: string): { mtimeMs: number; size: number } {
  const { mtimeMs, size } = statSync(path);
  return { mtimeMs, size };
}
