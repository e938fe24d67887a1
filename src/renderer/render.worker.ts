import { readFileSync } from 'node:fs';
import { workerData } from 'node:worker_threads';
import { LRUCache } from 'lru-cache';
import sharp from 'sharp';
import { ImageRenderer } from './image/image-renderer.js';
import { DEFAULT_LIMITS } from './image/limits.js';
import { RenderError } from './image/render.errors.js';
import { originalKey, type RenderOutcome, type RenderTask, type RenderWorkerData } from './render-task.js';

// The pool has one worker per available core.
sharp.concurrency(1);

const { textStyles, fonts } = workerData as RenderWorkerData;

/** Bytes of originals that stay in memory: one original is often requested in several sizes at once. */
const RECENT_BYTES = 32 * 2 ** 20;
/** By path, which is that of the content: it never changes. */
const contents = new LRUCache<string, Buffer>({
  maxSize: RECENT_BYTES,
  sizeCalculation: ({ length }) => Math.max(1, length),
});

/** Renders one image on this thread. The pool ends the thread if it takes too long. */
export async function render({ request, originals }: RenderTask): Promise<RenderOutcome> {
  const renderer = new ImageRenderer(
    {
      find: (deliveryType, publicId) => {
        const path = originals.get(originalKey({ deliveryType, publicId }));
        return Promise.resolve(path == null ? null : readOriginal(path));
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

/** Read synchronously: nothing else runs on this thread. */
function readOriginal(path: string): Buffer | null {
  const recent = contents.get(path);
  if (recent) return recent;
  try {
    const content = readFileSync(path);
    contents.set(path, content);
    return content;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}
