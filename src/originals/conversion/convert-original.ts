import { Worker } from 'node:worker_threads';
import {
  ConversionError,
  type ConversionFailure,
  type ConversionTask,
  type Converted,
} from './conversion.js';

/** The worker's file: beside this one or, if this one runs from source, in the build. */
const WORKER = new URL(
  import.meta.url.endsWith('.ts')
    ? '../../../dist/src/originals/conversion/convert.worker.js'
    : './convert.worker.js',
  import.meta.url,
);
/** Heap of one worker; the memory of WebAssembly has a limit of its own. */
const MAX_HEAP_MIB = 512;

/**
 * Converts a file in a thread of its own, whose memory is free afterwards. It ends with the thread that started it.
 * @param signal Ends the conversion; its reason is thrown.
 * @throws ConversionError with the reason.
 */
export async function convertOriginal(task: ConversionTask, signal?: AbortSignal): Promise<Converted> {
  signal?.throwIfAborted();
  // A small file is a part of memory that other files share, and all of that would be copied.
  const content = new Uint8Array(task.content);
  const worker = new Worker(WORKER, {
    workerData: { ...task, content },
    transferList: [content.buffer],
    // A decoder's warnings about a file.
    stdout: true,
    stderr: true,
    resourceLimits: { maxOldGenerationSizeMb: MAX_HEAP_MIB },
  });
  try {
    const result = await new Promise<Converted | ConversionFailure>((resolve, reject) => {
      worker.once('message', resolve);
      worker.once('error', (error) => {
        reject(isOutOfMemory(error) ? new ConversionError('damaged', task.format) : error);
      });
      worker.once('exit', () => {
        reject(new ConversionError('damaged', task.format));
      });
      signal?.addEventListener(
        'abort',
        () => {
          reject(signal.reason as Error);
        },
        { once: true },
      );
    });
    if ('reason' in result) throw new ConversionError(result.reason, result.detail);
    return result;
  } finally {
    await worker.terminate();
  }
}

const isOutOfMemory = (error: Error): boolean => 'code' in error && error.code === 'ERR_WORKER_OUT_OF_MEMORY';
