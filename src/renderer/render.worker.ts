import { workerData } from 'node:worker_threads';
import sharp from 'sharp';
import { PictureRenderer } from './picture/picture-renderer.js';
import { DEFAULT_LIMITS } from './picture/limits.js';
import { RenderError } from './picture/render.errors.js';
import { originalKey, type RenderOutcome, type RenderTask, type RenderWorkerData } from './render-task.js';

// The pool has as many workers as there are cores to spare.
sharp.concurrency(1);

const { textStyles } = workerData as RenderWorkerData;

/** Renders one picture on this thread, loops over pixels included. The pool ends the thread where it takes too long. */
export async function render({ request, originals }: RenderTask): Promise<RenderOutcome> {
  const renderer = new PictureRenderer(
    {
      find: (deliveryType, publicId) => {
        const bytes = originals.get(originalKey({ deliveryType, publicId }));
        return Promise.resolve(bytes ? Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength) : null);
      },
    },
    DEFAULT_LIMITS,
    textStyles,
  );
  try {
    return { picture: await renderer.render(request, new AbortController().signal) };
  } catch (error) {
    if (!(error instanceof RenderError)) throw error;
    return { status: error.status, reason: error.message };
  }
}
