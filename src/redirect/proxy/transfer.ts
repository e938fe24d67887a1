import { OverloadedError } from '../../platform/rate-limit/overloaded.error.js';
import type { ByteSource, PartialFile } from './disk-cache.js';
import { UpstreamFailedError } from './proxy.errors.js';
import { checkSize, type UpstreamHead, type UpstreamResponse } from './upstream.js';

/** The storage of a transfer. Its failures end no transfer: the image is then passed on without it. */
export interface TransferStorage {
  /** @throws Error if the disk does not accept a file. @throws OverloadedError (503): it does end the transfer. */
  create(): Promise<PartialFile>;
  /** Keeps a whole image. @throws Error if the disk does not accept it. */
  keep(part: PartialFile, head: UpstreamHead, length: number): Promise<void>;
  /** Receives what failed. */
  readonly onFailure: (error: unknown) => void;
}

type Fetch = (abort: AbortController, use: (response: UpstreamResponse) => Promise<void>) => Promise<void>;

/** What a transfer knows before its first byte is passed on. */
export interface TransferStart {
  readonly head: UpstreamHead;
  /** Bytes of the body; null if they are unknown and cannot be awaited. */
  readonly length: number | null;
}

/** The reason of an abort, and of reads by a client that left. No client receives it. */
export class ClientLeftError extends Error {}

/**
 * A fetch in progress and the clients that read it. The bytes are written to a file at the upstream's speed, and each
 * client reads the growing file at its own. If the disk fails, each further chunk is held until every client has it.
 */
export class Transfer {
  readonly started: Promise<TransferStart>;
  /** Settled when nothing more is fetched or stored; never rejected. */
  readonly ended: Promise<void>;
  private readonly abort = new AbortController();
  private readonly readers = new Set<TransferReader>();
  private resolveStart!: (start: TransferStart) => void;
  private rejectStart!: (error: unknown) => void;
  private part: PartialFile | null = null;
  private diskFailed = false;
  /** Bytes in the file. */
  private stored = 0;
  /** A chunk that is not in the file, and its position. */
  private live: { readonly chunk: Buffer; readonly at: number } | null = null;
  private received = 0;
  private failure: { readonly error: unknown } | null = null;
  private isWhole = false;
  private isWanted = false;
  private isOver = false;
  private wake: (() => void)[] = [];

  constructor(
    fetch: Fetch,
    private readonly storage: TransferStorage,
  ) {
    this.started = new Promise((resolve, reject) => {
      this.resolveStart = resolve;
      this.rejectStart = reject;
    });
    // A client may leave before it waits.
    this.started.catch(() => undefined);
    this.abort.signal.addEventListener('abort', () => {
      this.notify();
    });
    this.ended = this.run(fetch);
  }

  /** Whether another client gets all bytes. */
  get isJoinable(): boolean {
    return !this.diskFailed && this.failure === null && !this.abort.signal.aborted;
  }

  /** From here on the fetch is not cancelled without clients, as long as its bytes are stored. */
  fetchWhole(): void {
    this.isWanted = true;
  }

  /** Adds a client. Without clients the fetch is cancelled. */
  join(): TransferReader {
    const reader = new TransferReader(this);
    this.readers.add(reader);
    return reader;
  }

  leave(reader: TransferReader): void {
    if (!this.readers.delete(reader)) return;
    this.cancelUnused();
    this.notify();
    this.closeFile();
  }

  async read(reader: TransferReader, position: number, length: number): Promise<Buffer | null> {
    for (;;) {
      if (!this.readers.has(reader)) throw new ClientLeftError();
      if (this.part !== null && position < this.stored) {
        return this.part.read(position, Math.min(length, this.stored - position));
      }
      if (this.live !== null && position >= this.live.at) {
        const { chunk, at } = this.live;
        if (position < at + chunk.length) return chunk.subarray(position - at, position - at + length);
      }
      if (this.failure !== null) throw this.failure.error;
      if (this.isWhole) return null;
      await this.progress();
    }
  }

  /** Notifies the others after a change. */
  notify(): void {
    const { wake } = this;
    this.wake = [];
    for (const resume of wake) resume();
  }

  private async run(fetch: Fetch): Promise<void> {
    try {
      await fetch(this.abort, (response) => this.receive(response));
    } catch (error) {
      this.failure = { error };
      this.rejectStart(error);
    }
    this.isOver = true;
    this.notify();
    this.closeFile();
  }

  private async receive({ head, body }: UpstreamResponse): Promise<void> {
    await this.openFile();
    // Without a length it is known once the body is whole: only then a client can tell a cut image.
    if (head.length !== null || head.status === 304 || this.diskFailed) this.start(head, head.length);
    if (head.status === 304) return;
    for await (const chunk of body) await this.accept(head, chunk);
    if (head.length !== null && this.received !== head.length) {
      throw new UpstreamFailedError('the response ended early');
    }
    if (this.received === 0) throw new UpstreamFailedError('the response is empty');
    this.isWhole = true;
    this.start(head, this.received);
    this.notify();
    if (this.part !== null && !this.diskFailed) {
      await this.storage.keep(this.part, head, this.received).catch(this.storage.onFailure);
    }
  }

  private async accept(head: UpstreamHead, chunk: Buffer): Promise<void> {
    const at = this.received;
    this.received += chunk.length;
    checkSize(this.received);
    if (this.part !== null && !this.diskFailed) {
      try {
        await this.part.write(chunk, at);
        this.stored = this.received;
        this.notify();
        return;
      } catch (error) {
        this.failDisk(error);
        this.start(head, head.length);
      }
    }
    this.live = { chunk, at };
    this.notify();
    while ([...this.readers].some((reader) => reader.position < this.received)) {
      await this.progress();
      this.abort.signal.throwIfAborted();
    }
    this.live = null;
  }

  private async openFile(): Promise<void> {
    try {
      this.part = await this.storage.create();
    } catch (error) {
      if (error instanceof OverloadedError) throw error;
      this.failDisk(error);
    }
  }

  private failDisk(error: unknown): void {
    this.diskFailed = true;
    this.storage.onFailure(error);
    this.cancelUnused();
  }

  private cancelUnused(): void {
    const isUsed = this.readers.size > 0 || this.isWhole || (this.isWanted && !this.diskFailed);
    if (!isUsed) this.abort.abort(new ClientLeftError());
  }

  private start(head: UpstreamHead, length: number | null): void {
    this.resolveStart({ head, length });
  }

  private progress(): Promise<void> {
    return new Promise((resolve) => {
      this.wake.push(resolve);
    });
  }

  private closeFile(): void {
    const { part } = this;
    if (part === null || !this.isOver || this.readers.size > 0) return;
    this.part = null;
    void part.close().catch(this.storage.onFailure);
  }
}

/** A client of a transfer. */
export class TransferReader implements ByteSource {
  /** Bytes that the client has. */
  position = 0;

  constructor(private readonly transfer: Transfer) {}

  async read(position: number, length: number): Promise<Buffer | null> {
    this.position = position;
    this.transfer.notify();
    const bytes = await this.transfer.read(this, position, length);
    this.position = position + (bytes?.length ?? 0);
    return bytes;
  }

  release(): void {
    this.transfer.leave(this);
  }
}
