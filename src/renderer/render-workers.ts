import { createHash } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { Logger, type OnApplicationShutdown } from '@nestjs/common';
import { Piscina } from 'piscina';
import { readVersion } from '../platform/config/package-version.js';
import { findAssets } from './chain/chain.parser.js';
import type { Originals, RenderedPicture, RenderRequest } from './picture/picture-renderer.js';
import { RenderError } from './picture/render.errors.js';
import type { TextStyle } from './picture/text/text-style.js';
import { originalKey, type RenderOutcome, type RenderTask } from './render-task.js';

/** Where Node finds the worker's file: beside this one, or where it was built when this one runs from its source. */
const WORKER = new URL(
  import.meta.url.endsWith('.ts') ? '../../dist/src/renderer/render.worker.js' : './render.worker.js',
  import.meta.url,
);
/** Milliseconds until a thread without work ends. */
const IDLE = 60_000;
/** Heap of one worker; pictures lie outside of it. */
const MAX_HEAP_MIB = 512;

/**
 * Renders on threads of their own, since an effect is a loop over pixels that lets nothing else run on its thread. A
 * render that is aborted ends with its thread, in the middle of a loop too; the next one gets another.
 */
export class RenderWorkers implements OnApplicationShutdown {
  private readonly logger = new Logger(RenderWorkers.name);
  /** What pictures depend on beside chain and originals: another program or another style may make others. */
  readonly edition: string;
  private readonly pool: Piscina<RenderTask, RenderOutcome>;

  /** @param threads Renders at once; a thread starts with the first render that needs it. */
  constructor(
    private readonly originals: Originals,
    textStyles: ReadonlyMap<string, TextStyle>,
    threads: number,
  ) {
    this.edition = editionOf(textStyles);
    this.pool = new Piscina({
      filename: fileURLToPath(WORKER),
      name: 'render',
      minThreads: 0,
      maxThreads: threads,
      idleTimeout: IDLE,
      resourceLimits: { maxOldGenerationSizeMb: MAX_HEAP_MIB },
      workerData: { textStyles },
      // A render gives way to redirects where they share a core.
      niceIncrement: 10,
    });
  }

  /**
   * @param signal Ends the render's thread; the reason is thrown.
   * @throws {RenderError} 400 for what is wrong with the chain or not supported, 404 where there is no original, 503
   * where the render needs more memory than a worker has.
   */
  async render(request: RenderRequest, signal: AbortSignal): Promise<RenderedPicture> {
    const task = { request, originals: await this.readOriginals(request) };
    signal.throwIfAborted();
    const outcome = await this.run(task, signal);
    if ('reason' in outcome) throw new RenderError(outcome.status, outcome.reason);
    const { picture } = outcome;
    const { buffer, byteOffset, byteLength } = picture.body;
    // A Buffer arrives as the plain bytes that it is.
    return { ...picture, body: Buffer.from(buffer, byteOffset, byteLength) };
  }

  async onApplicationShutdown(): Promise<void> {
    await this.pool.destroy();
  }

  private async run(task: RenderTask, signal: AbortSignal): Promise<RenderOutcome> {
    try {
      return await this.pool.run(task, { signal, transferList: transferable(task) });
    } catch (error) {
      signal.throwIfAborted();
      if (!isOutOfMemory(error)) throw error;
      this.logger.warn('A render worker ran out of memory and was replaced');
      throw new RenderError(503, 'The picture needs more memory than a render may use');
    }
  }

  private async readOriginals({
    deliveryType,
    publicId,
    chain,
  }: RenderRequest): Promise<RenderTask['originals']> {
    const assets = [{ deliveryType, publicId }, ...findAssets(chain)];
    const originals = new Map<string, Uint8Array | null>();
    for (const asset of assets) {
      const key = originalKey(asset);
      if (!originals.has(key)) {
        originals.set(key, await this.originals.find(asset.deliveryType, asset.publicId));
      }
    }
    return originals;
  }
}

/** A digest of the program's version and the named text styles. */
export function editionOf(textStyles: ReadonlyMap<string, TextStyle>): string {
  return createHash('sha256')
    .update(JSON.stringify([readVersion(), [...textStyles].sort(([one], [two]) => (one < two ? -1 : 1))]))
    .digest('hex');
}

/** Memory that can be handed over instead of copied: a file's own, not a part of Node's pool. */
function transferable({ originals }: RenderTask): ArrayBuffer[] {
  return [...originals.values()].flatMap((bytes) =>
    bytes?.buffer instanceof ArrayBuffer && bytes.buffer.byteLength === bytes.byteLength
      ? [bytes.buffer]
      : [],
  );
}

function isOutOfMemory(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ERR_WORKER_OUT_OF_MEMORY';
}
