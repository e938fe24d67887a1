import sharp, { type Sharp } from 'sharp';
import type { Originals } from '../../src/renderer/image/originals.js';
import {
  ImageRenderer,
  type RenderedImage,
  type RenderRequest,
} from '../../src/renderer/image/image-renderer.js';
import { RenderError } from '../../src/renderer/image/render.errors.js';

/** Red, green, blue, alpha. */
export type Pixel = readonly [number, number, number, number];

export const RED: Pixel = [255, 0, 0, 255];
export const GREEN: Pixel = [0, 255, 0, 255];
export const BLUE: Pixel = [0, 0, 255, 255];
export const YELLOW: Pixel = [255, 255, 0, 255];
export const WHITE: Pixel = [255, 255, 255, 255];
export const BLACK: Pixel = [0, 0, 0, 255];
export const CLEAR: Pixel = [0, 0, 0, 0];

/** Pixels by a function of their place. */
export function drawn(width: number, height: number, paint: (x: number, y: number) => Pixel): Sharp {
  const pixels = Buffer.alloc(width * height * 4);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) pixels.set(paint(x, y), (y * width + x) * 4);
  }
  return sharp(pixels, { raw: { width, height, channels: 4 } });
}

/** Red and green above, blue and yellow below: every place tells where it comes from. */
export const quadrants = (width: number, height: number): Sharp =>
  drawn(width, height, (x, y) =>
    y < height / 2 ? (x < width / 2 ? RED : GREEN) : x < width / 2 ? BLUE : YELLOW,
  );

/** Originals by `type/public id`. */
export const shelf = (files: Readonly<Record<string, Buffer>>): Originals => ({
  find: (deliveryType, publicId) => Promise.resolve(files[`${deliveryType}/${publicId}`] ?? null),
});

/** Renders the private original `photo` of a shelf. */
export async function render(
  originals: Originals | Buffer,
  chain: readonly string[],
  request: Partial<RenderRequest> = {},
): Promise<RenderedImage> {
  const found = Buffer.isBuffer(originals) ? shelf({ 'private/photo': originals }) : originals;
  return await new ImageRenderer(found).render(
    { deliveryType: 'private', publicId: 'photo', chain, format: 'png', accept: undefined, ...request },
    new AbortController().signal,
  );
}

/** What a render is refused with, as status and message; 'rendered' when it is not. */
export async function refusal(
  originals: Originals | Buffer,
  chain: readonly string[],
  request: Partial<RenderRequest> = {},
): Promise<string> {
  try {
    await render(originals, chain, request);
  } catch (error) {
    if (error instanceof RenderError) return `${error.status} ${error.message}`;
    throw error;
  }
  return 'rendered';
}

/** A delivered file, unpacked. */
export interface Unpacked {
  readonly width: number;
  readonly height: number;
  readonly at: (x: number, y: number) => Pixel;
}

export async function unpack(body: Buffer): Promise<Unpacked> {
  const { data, info } = await sharp(body).ensureAlpha().raw().toBuffer({ resolveWithObject: true });
  return {
    width: info.width,
    height: info.height,
    at: (x, y) => {
      const at = (y * info.width + x) * 4;
      const [red = -1, green = -1, blue = -1, alpha = -1] = data.subarray(at, at + 4);
      return [red, green, blue, alpha];
    },
  };
}

/** Renders as PNG and unpacks it. */
export const pixelsOf = async (originals: Originals | Buffer, ...chain: string[]): Promise<Unpacked> =>
  await unpack((await render(originals, chain)).body);
