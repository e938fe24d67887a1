import { randomUUID } from 'node:crypto';
import { mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { LRUCache } from 'lru-cache';
import { OverloadedError } from '../../platform/rate-limit/overloaded.error.js';
import type { MaybePromise } from '../redirect.service.js';
import type { Validators } from './conditions.js';

/** What a response needs of an image beside its bytes. */
export interface ImageMeta extends Validators {
  readonly contentType: string;
  /** Bytes. */
  readonly length: number;
  /** Milliseconds since 1970. */
  readonly freshUntil: number;
}

/** Bytes that can be read at any position. */
export interface ByteSource {
  /** @returns at most `length` bytes from `position`; null at the end. */
  read(position: number, length: number): MaybePromise<Buffer | null>;
  /** Ends the reading: once for each reader. */
  release(): void;
}

/** An image with all its bytes. */
export interface RecalledImage {
  readonly meta: ImageMeta;
  readonly bytes: Buffer;
}

interface Entry {
  /** Bytes of the file. */
  readonly size: number;
  /** Null until the file of an earlier process is first used. */
  readonly meta: ImageMeta | null;
}

/** Bytes before those of the image: its meta as JSON. */
const HEADER = 1_024;
const PART = '.part';
/** Milliseconds after which a partial file is one of a process that crashed. */
const ABANDONED = 60_000;
/** Bytes of an image that is read as one piece, and of all pieces that stay in memory. */
const MAX_PIECE = 128 * 1024;
const MAX_PIECES = 16 * 2 ** 20;

/**
 * Fetched images on disk, limited in bytes; the least recently used are deleted first. A file is one KiB with the meta,
 * then the image. It is written under another name and renamed once it is whole, so that a crash leaves no part of an
 * image. Several processes may share the folder; each limits the files that it knows.
 */
export class DiskCache {
  private readonly entries: LRUCache<string, Entry>;
  /** Small images that were viewed lately, by their meta: a replaced image has another. */
  private readonly pieces = new LRUCache<ImageMeta, Buffer>({
    maxSize: MAX_PIECES,
    sizeCalculation: ({ length }) => length,
  });
  /** Files that further readers of an image share, by key. */
  private readonly files = new Map<string, CachedFile>();
  /** Number of descriptors of an image's file, by the image's meta. */
  private readonly opened = new Map<ImageMeta, { readonly key: string; descriptors: number }>();
  /** Partial files that are open. */
  private readonly parts = new Set<PartialFile>();
  /** Partial files that count against their limit. */
  private partCount = 0;

  /**
   * @param maxBytes Of all files, with those that were replaced or deleted but are still read.
   * @param maxParts Partial files at a time, whose bytes are not among those.
   * @throws Error if the folder cannot be written.
   */
  constructor(
    private readonly folder: string,
    private readonly maxBytes: number,
    private readonly maxParts: number,
  ) {
    this.entries = new LRUCache({
      maxSize: maxBytes,
      sizeCalculation: ({ size }) => size,
      dispose: (_, key, reason) => {
        if (reason !== 'set') void rm(this.path(key), { force: true }).catch(() => undefined);
      },
    });
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    this.readFolder();
    // Those that were too young at this start: a process that crashes is started again at once.
    setTimeout(() => {
      void this.removeAbandoned().catch(() => undefined);
    }, 2 * ABANDONED).unref();
  }

  /** Number of images, and the bytes of all files but partial ones. */
  get size(): { readonly entries: number; readonly bytes: number } {
    return { entries: this.entries.size, bytes: this.entries.calculatedSize + this.detachedBytes };
  }

  /** Bytes of files that were replaced or deleted, and remain on the disk until they are closed. */
  private get detachedBytes(): number {
    let bytes = 0;
    for (const [meta, { key }] of this.opened) {
      if (this.entries.peek(key)?.meta !== meta) bytes += HEADER + meta.length;
    }
    return bytes;
  }

  /** A cached image whose bytes are in memory; null for any other. @param key Hexadecimal. */
  recall(key: string): RecalledImage | null {
    const meta = this.entries.get(key)?.meta;
    if (!isFresh(meta)) return null;
    const bytes = this.pieces.get(meta);
    return bytes === undefined ? null : { meta, bytes };
  }

  /** @param key Hexadecimal. @returns null if it is not cached or no longer fresh. */
  async find(key: string): Promise<ImageMeta | null> {
    const known = this.entries.get(key);
    if (isFresh(known?.meta)) return known.meta;
    // Another process may have replaced the file. The entry of a stale one remains until it is replaced or evicted.
    const meta = await this.readMeta(key, known);
    return isFresh(meta) ? meta : null;
  }

  /**
   * Opens a cached image; the caller releases it.
   * @param meta Of `find`.
   * @returns null if its file was deleted or replaced.
   */
  async open(key: string, meta: ImageMeta): Promise<ByteSource | null> {
    const piece = this.pieces.get(meta);
    if (piece !== undefined) return memorySource(piece);
    const file = await this.openShared(key, meta);
    if (file === null || meta.length > MAX_PIECE) return file;
    // A small image is one read. The next views of it need no file.
    const bytes = await readAll(file, meta.length);
    if (bytes?.length !== meta.length) return null;
    this.pieces.set(meta, bytes);
    return memorySource(bytes);
  }

  private async openShared(key: string, meta: ImageMeta): Promise<ByteSource | null> {
    const shared = this.files.get(key);
    const file = shared?.meta === meta ? shared : this.openFile(key, meta);
    if (await file.use()) return file;
    // It was deleted or replaced: its meta is read again. The entry remains, so that a file is evicted with it.
    if (this.entries.peek(key)?.meta === meta) {
      this.entries.set(key, { size: HEADER + meta.length, meta: null });
    }
    return null;
  }

  private openFile(key: string, meta: ImageMeta): CachedFile {
    const release = this.retain(key, meta);
    const file = new CachedFile(meta, openWhole(this.path(key), HEADER + meta.length), () => {
      if (this.files.get(key) === file) this.files.delete(key);
      release();
    });
    this.files.set(key, file);
    return file;
  }

  /** Starts a file. @throws Error if the disk does not accept it. @throws OverloadedError as `requirePart`. */
  async create(): Promise<PartialFile> {
    this.requirePart();
    this.partCount += 1;
    const path = join(this.folder, `${randomUUID()}${PART}`);
    try {
      const handle = await open(path, 'wx+', 0o600);
      const part = new PartialFile(path, handle, {
        onEnd: () => {
          this.partCount -= 1;
        },
        onClosed: () => {
          this.parts.delete(part);
        },
      });
      this.parts.add(part);
      return part;
    } catch (error) {
      this.partCount -= 1;
      throw error;
    }
  }

  /** Checks that another partial file may be created. @throws OverloadedError (503) if too many are open. */
  requirePart(): void {
    if (this.partCount >= this.maxParts) throw new OverloadedError();
  }

  /**
   * Turns a whole file into a cached image. If there is no room, as all others are being read, it remains a partial file
   * until it is closed.
   * @throws Error if the disk does not accept it.
   */
  async keep(key: string, part: PartialFile, meta: ImageMeta): Promise<void> {
    const path = this.path(key);
    const size = HEADER + meta.length;
    await part.writeMeta(meta);
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    if (!this.makeRoom(key, size)) return;
    // Before the file is there: another image must not take its room.
    this.entries.set(key, { size, meta });
    const release = this.retain(key, meta);
    try {
      await part.moveTo(path, release);
    } catch (error) {
      release();
      this.entries.delete(key);
      throw error;
    }
  }

  /** Deletes partial files. Nothing is read or written anymore. */
  async close(): Promise<void> {
    await Promise.all([...this.parts].map((part) => part.close()));
  }

  /** Counts a descriptor of an image's file. @returns releases it: once. */
  private retain(key: string, meta: ImageMeta): () => void {
    const file = this.opened.get(meta) ?? { key, descriptors: 0 };
    file.descriptors += 1;
    this.opened.set(meta, file);
    return () => {
      file.descriptors -= 1;
      if (file.descriptors === 0) this.opened.delete(meta);
    };
  }

  private isOpen({ meta }: Entry): boolean {
    return meta !== null && this.opened.has(meta);
  }

  /**
   * Deletes images, the least recently used first. An open one stays: to delete it would free nothing.
   * @param key Of the image to come, which replaces the one with this key.
   * @returns false if the others are all open: nothing is deleted then.
   */
  private makeRoom(key: string, size: number): boolean {
    const replaced = this.entries.peek(key);
    const freed = replaced === undefined || this.isOpen(replaced) ? 0 : replaced.size;
    let missing = this.size.bytes - freed + size - this.maxBytes;
    const evicted: string[] = [];
    for (const other of this.entries.rkeys()) {
      if (missing <= 0) break;
      const entry = this.entries.peek(other);
      if (entry === undefined || other === key || this.isOpen(entry)) continue;
      evicted.push(other);
      missing -= entry.size;
    }
    if (missing > 0) return false;
    for (const other of evicted) this.entries.delete(other);
    return true;
  }

  private path(key: string): string {
    return join(this.folder, key.slice(0, 2), key);
  }

  /**
   * Reads the meta of a file that an earlier process, or another one, has stored.
   * @param known The entry so far: one that was set meanwhile is not replaced.
   */
  private async readMeta(key: string, known: Entry | undefined): Promise<ImageMeta | null> {
    const file = await open(this.path(key), 'r').catch(() => null);
    if (file === null) return null;
    try {
      const [{ size }, { buffer }] = await Promise.all([
        file.stat(),
        file.read({ buffer: Buffer.alloc(HEADER), position: 0 }),
      ]);
      const meta = JSON.parse(buffer.toString('utf8')) as ImageMeta;
      if (size !== HEADER + meta.length) return null;
      if (this.entries.peek(key) === known && this.makeRoom(key, size)) this.entries.set(key, { size, meta });
      return meta;
    } catch {
      // Written by hand: it is only a cache.
      return null;
    } finally {
      await file.close();
    }
  }

  private async removeAbandoned(): Promise<void> {
    for (const name of await readdir(this.folder)) {
      if (!name.endsWith(PART)) continue;
      const path = join(this.folder, name);
      const { mtimeMs } = await stat(path);
      if (isAbandoned({ name, mtimeMs })) await rm(path, { force: true });
    }
  }

  /** Files of an earlier process, oldest first, so that they are evicted first. */
  private readFolder(): void {
    const files = readdirSync(this.folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .flatMap(({ name, parentPath }) => {
        const path = join(parentPath, name);
        // Another process may have deleted it.
        const found = statSync(path, { throwIfNoEntry: false });
        return found === undefined ? [] : [{ name, path, size: found.size, mtimeMs: found.mtimeMs }];
      });
    for (const { path } of files.filter(isAbandoned)) rmSync(path, { force: true });
    const images = files
      .filter(({ name }) => /^[0-9a-f]{64}$/.test(name))
      .sort((one, other) => one.mtimeMs - other.mtimeMs);
    for (const { name, size } of images) this.entries.set(name, { size: Math.max(1, size), meta: null });
  }
}

/** Whether it is a partial file of a process that crashed. A slow client of a running one has its descriptor. */
const isAbandoned = ({ name, mtimeMs }: { name: string; mtimeMs: number }): boolean =>
  name.endsWith(PART) && mtimeMs < Date.now() - ABANDONED;

const isFresh = (meta: ImageMeta | null | undefined): meta is ImageMeta =>
  meta !== null && meta !== undefined && Date.now() < meta.freshUntil;

/** A cached image that is being read; its descriptor is closed behind the last reader. */
class CachedFile implements ByteSource {
  private readers = 0;
  private handle: FileHandle | null = null;

  constructor(
    readonly meta: ImageMeta,
    private readonly opening: Promise<FileHandle>,
    private readonly onClosed: () => void,
  ) {}

  /** @returns false if it cannot be opened. */
  async use(): Promise<boolean> {
    this.readers += 1;
    try {
      this.handle ??= await this.opening;
      return true;
    } catch {
      this.release();
      return false;
    }
  }

  read(position: number, length: number): Promise<Buffer | null> {
    if (this.handle === null) throw new Error('The file is not open');
    return readAt(this.handle, HEADER + position, length);
  }

  release(): void {
    this.readers -= 1;
    if (this.readers > 0) return;
    this.onClosed();
    void this.handle?.close().catch(() => undefined);
  }
}

/** A file that is being written, and read by the clients that wait for it. */
export class PartialFile {
  private isMoved = false;
  /** Releases the image that it has become. */
  private release = (): void => undefined;
  private closing: Promise<void> | null = null;

  /**
   * @param events `onEnd` is called once: when it has become an image of the cache, or is deleted. `onClosed` is called
   *   after it.
   */
  constructor(
    private readonly path: string,
    private readonly handle: FileHandle,
    private readonly events: { readonly onEnd: () => void; readonly onClosed: () => void },
  ) {}

  /** @param position Of the chunk in the image. @throws Error if the disk is full. */
  async write(chunk: Buffer, position: number): Promise<void> {
    for (let done = 0; done < chunk.length;) {
      const { bytesWritten } = await this.handle.write(
        chunk,
        done,
        chunk.length - done,
        HEADER + position + done,
      );
      done += bytesWritten;
    }
  }

  read(position: number, length: number): Promise<Buffer | null> {
    return readAt(this.handle, HEADER + position, length);
  }

  async writeMeta(meta: ImageMeta): Promise<void> {
    const header = Buffer.alloc(HEADER, ' ');
    header.write(JSON.stringify(meta));
    await this.handle.write(header, 0, HEADER, 0);
  }

  /** @param release Called when it is closed. */
  async moveTo(path: string, release: () => void): Promise<void> {
    await rename(this.path, path);
    this.isMoved = true;
    this.release = release;
    this.events.onEnd();
  }

  /** Closes it after its last reader, and deletes it unless it was moved. */
  close(): Promise<void> {
    this.closing ??= this.closeOnce();
    return this.closing;
  }

  private async closeOnce(): Promise<void> {
    try {
      await this.handle.close();
      if (!this.isMoved) await rm(this.path, { force: true });
    } finally {
      if (!this.isMoved) this.events.onEnd();
      this.release();
      this.events.onClosed();
    }
  }
}

/** @throws Error if the file is absent or has another size. */
async function openWhole(path: string, expected: number): Promise<FileHandle> {
  const handle = await open(path, 'r');
  const found = await handle.stat().catch(() => null);
  if (found?.size === expected) return handle;
  await handle.close();
  throw new Error('The file was replaced');
}

/** Reads a file at once, and releases it. */
async function readAll(file: ByteSource, length: number): Promise<Buffer | null> {
  try {
    return await file.read(0, length);
  } finally {
    file.release();
  }
}

/** @param bytes Of a whole image. */
export function memorySource(bytes: Buffer): ByteSource {
  return {
    read: (position, length) =>
      position < bytes.length ? bytes.subarray(position, position + length) : null,
    release: () => undefined,
  };
}

async function readAt(handle: FileHandle, position: number, length: number): Promise<Buffer | null> {
  const { bytesRead, buffer } = await handle.read(Buffer.allocUnsafe(length), 0, length, position);
  return bytesRead === 0 ? null : buffer.subarray(0, bytesRead);
}
