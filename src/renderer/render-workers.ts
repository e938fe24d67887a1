import { createHash } from 'node:crypto';
import { totalmem } from 'node:os';
import { fileURLToPath } from 'node:url';
import { Logger, type OnApplicationShutdown } from '@nestjs/common';
import { Piscina } from 'piscina';
import { readVersion } from '../platform/config/package-version.js';
import { parseChain } from './chain/chain.parser.js';
import type { RenderedImage, RenderRequest } from './image/image-renderer.js';
import { DEFAULT_LIMITS } from './image/limits.js';
import { RenderError } from './image/render.errors.js';
import { estimateBytes, MemoryBudget } from './memory-budget.js';
import type { StoredOriginal } from './original-rows.js';
import type { FontFile } from './image/text/font-files.js';
import type { TextStyle } from './image/text/text-style.js';
import type { RenderOutcome, RenderTask, RenderWorkerData } from './render-task.js';

/** The worker's file: beside this one or, if this one runs from source, in the build. */
const WORKER = new URL(
  import.meta.url.endsWith('.ts') ? '../../dist/src/renderer/render.worker.js' : './render.worker.js',
  import.meta.url,
);
/** Milliseconds until an idle thread exits. */
const IDLE = 60_000;
/** Heap of one worker; it does not contain the images. */
const MAX_HEAP_MIB = 512;

/** What the operator adds to texts, from `DATA_DIR`. */
export interface TextFiles {
  /** By name. */
  readonly textStyles: ReadonlyMap<string, TextStyle>;
  readonly fonts: readonly FontFile[];
}

/** A render of stored originals. */
export interface StoredRenderRequest extends RenderRequest {
  /** Every original that it may use, by `originalKey`; null for one that does not exist. */
  readonly originals: ReadonlyMap<string, StoredOriginal | null>;
}

/**
 * Renders on separate threads, because an effect is a loop over pixels that blocks its thread. Aborting a render ends
 * its thread, even within a loop; the next render starts a new one.
 */
export class RenderWorkers implements OnApplicationShutdown {
  private readonly logger = new Logger(RenderWorkers.name);
  /** What images depend on beside chain and originals: they may change with the program, the styles and the fonts. */
  readonly edition: string;
  private readonly pool: Piscina<RenderTask, RenderOutcome>;

  /** @param threads Concurrent renders; a thread starts with the first render that needs it. */
  constructor(
    private readonly files: { pathOf(sha256: string): string },
    { textStyles, fonts }: TextFiles,
    threads: number,
    private readonly memory = new MemoryBudget(memoryLimit()),
  ) {
    this.edition = editionOf({ textStyles, fonts });
    this.pool = new Piscina({
      filename: fileURLToPath(WORKER),
      name: 'render',
      minThreads: 0,
      maxThreads: threads,
      idleTimeout: IDLE,
      resourceLimits: { maxOldGenerationSizeMb: MAX_HEAP_MIB },
      workerData: { textStyles, fonts: fonts.map(({ path }) => path) } satisfies RenderWorkerData,
      // Renders have a lower priority than redirects on the same core.
      niceIncrement: 10,
    });
  }

  /**
   * @param signal Ends the render's thread; its reason is thrown.
   * @throws {RenderError} 400 for an invalid or unsupported chain, 404 if there is no original, 503 if the render
   *   exceeds the worker's memory.
   */
  async render(request: StoredRenderRequest, signal: AbortSignal): Promise<RenderedImage> {
    const { originals, ...rest } = request;
    const bytes = estimateBytes(
      [...originals.values()],
      parseChain(request.chain),
      DEFAULT_LIMITS,
      this.memory.limit,
    );
    const task = { request: rest, originals: this.locate(originals) };
    const outcome = await this.memory.run(bytes, signal, () => this.run(task, signal));
    if ('reason' in outcome) throw new RenderError(outcome.status, outcome.reason);
    const { image } = outcome;
    const { buffer, byteOffset, byteLength } = image.body;
    // A Buffer arrives as a plain Uint8Array.
    return { ...image, body: Buffer.from(buffer, byteOffset, byteLength) };
  }

  async onApplicationShutdown(): Promise<void> {
    await this.pool.destroy();
  }

  private async run(task: RenderTask, signal: AbortSignal): Promise<RenderOutcome> {
    try {
      return await this.pool.run(task, { signal });
    } catch (error) {
      signal.throwIfAborted();
      if (!isOutOfMemory(error)) throw error;
      this.logger.warn('A render worker ran out of memory and was replaced');
      throw new RenderError(503, 'The image needs more memory than a render may use');
    }
  }

  private locate(originals: StoredRenderRequest['originals']): RenderTask['originals'] {
    return new Map(
      [...originals].map(([key, original]) => [key, original && this.files.pathOf(original.sha256)]),
    );
  }
}

/** Bytes of all renders together: half of the machine's or the container's memory, within these bounds. */
const MEMORY_BOUNDS = { least: 512 * 2 ** 20, most: 1536 * 2 ** 20 };

function memoryLimit(): number {
  // 0 or a huge number without a limit.
  const constrained = process.constrainedMemory();
  const available = constrained > 0 ? Math.min(constrained, totalmem()) : totalmem();
  return Math.min(MEMORY_BOUNDS.most, Math.max(MEMORY_BOUNDS.least, available / 2));
}

/** A digest of the program's version, the named text styles and the operator's fonts. */
export function editionOf({ textStyles, fonts }: TextFiles): string {
  return createHash('sha256')
    .update(
      JSON.stringify([
        readVersion(),
        [...textStyles].sort(([one], [two]) => (one < two ? -1 : 1)),
        fonts.map(({ sha256 }) => sha256),
      ]),
    )
    .digest('hex');
}

function isOutOfMemory(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ERR_WORKER_OUT_OF_MEMORY';
}
