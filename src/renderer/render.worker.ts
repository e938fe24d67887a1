import { workerData } from 'node:worker_threads';
import sharp from 'sharp';
import { ImageRenderer } from './image/image-renderer.js';
import { DEFAULT_LIMITS } from './image/limits.js';
import { RenderError } from './image/render.errors.js';
import { originalKey, type RenderOutcome, type RenderTask, type RenderWorkerData } from './render-task.js';

// The pool has one worker per available core.
sharp.concurrency(1);

const { textStyles, fonts } = workerData as RenderWorkerData;

/** Renders one image on this thread. The pool ends the thread if it takes too long. */
export async function render({ request, originals }: RenderTask): Promise<RenderOutcome> {
  const renderer = new ImageRenderer(
    {
      find: (deliveryType, publicId) => {
        const bytes = originals.get(originalKey({ deliveryType, publicId }));
        return Promise.resolve(bytes ? Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength) : null);
      },
    },
    DEFAULT_LIMITS,
    textStyles,
    fonts,
  );
  try {
    return { image: await renderer.render(request, new AbortController().signal) };
  } catch (error) {
    if (!(error instanceof RenderError)) throw error;
    return { status: error.status, reason: error.message };
  }
}
