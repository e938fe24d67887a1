import { parentPort, workerData } from 'node:worker_threads';
import {
  ConversionError,
  type ConversionFailure,
  type ConversionTask,
  type Converted,
} from './conversion.js';
import { DECODERS, PACKAGES } from './decoders.js';

/** Converts the one file that this thread is started with. */
async function convert(task: ConversionTask): Promise<Converted | ConversionFailure> {
  try {
    const { content, ...rest } = await DECODERS[task.format](task);
    // Its own memory, which can be transferred: a decoder's is part of a larger one.
    const own = new Uint8Array(content.byteLength);
    own.set(content);
    return { isPng: false, pageCount: 1, approximation: undefined, ...rest, content: own };
  } catch (error) {
    if (error instanceof ConversionError) return { reason: error.reason, detail: error.detail };
    if (!isMissingFile(error)) return { reason: 'damaged', detail: task.format };
    const detail = `${task.format} is not decoded here: the package ${PACKAGES[task.format] ?? task.format} is not installed`;
    return { reason: 'unsupported', detail };
  }
}

/** Whether a decoder is not installed: that is not the file's fault. */
function isMissingFile(error: unknown): boolean {
  return (
    error instanceof Error &&
    'code' in error &&
    /^(?:ENOENT|(?:ERR_)?MODULE_NOT_FOUND)$/.test(String(error.code))
  );
}

const result = await convert(workerData as ConversionTask);
parentPort?.postMessage(result, 'content' in result ? [result.content.buffer as ArrayBuffer] : []);
