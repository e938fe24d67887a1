import sharp, { type OutputInfo, type Sharp } from 'sharp';
import type { Rectangle, Size } from './box.js';
import { type Filter, fromSharp, toSharp } from './effects/pixels.js';
import { refuseTooLarge } from './limits.js';
import { type Frame, mapFrames, type RasterImage } from './raster-image.js';
import { RenderError } from './render.errors.js';
import { extract, resize } from './reshape.js';
import { turn, type Turn } from './rotate.js';

/** An image that libvips can read: a file, or pixels. One frame, or all frames of an animation. */
export interface Source extends Size {
  /** Opens it; each pipeline reads it again. */
  readonly open: () => Sharp;
  readonly hasAlpha: boolean;
  /** Whether all its pixels are bytes, so that an encoder can read them without a conversion. */
  readonly isBytes: boolean;
  /** Whether the decoder can scale down: JPEG and WebP. */
  readonly shrinksOnLoad: boolean;
  readonly frameCount: number;
  readonly delays: readonly number[];
  readonly loop: number;
}

/** Operations in the order in which sharp runs them, so that one pipeline can hold all of them. */
interface Operations {
  readonly cut?: Rectangle;
  readonly resize?: Size;
  readonly flip?: boolean;
  readonly flop?: boolean;
  /** Degrees, a multiple of 90. */
  readonly rotate?: number;
  readonly crop?: Rectangle;
  readonly filter?: Filter;
}

/** The factors by which libjpeg can scale down. */
const SHRINKS = [8, 4, 2] as const;

/**
 * An image whose operations run when its pixels are needed. Successive operations are merged into one pipeline, so that
 * the decoder reads no more pixels than all of them need, and pixels need not be unpacked between them.
 */
export class LazyImage {
  private constructor(
    private readonly source: Source,
    private readonly operations: Operations,
    /** The unpacked pixels, if they are known. */
    private readonly pixels: RasterImage | undefined,
    /** Maximum pixels of an unpacked image, in all frames. */
    private readonly maxPixels: number,
  ) {}

  static ofSource(source: Source, maxPixels: number): LazyImage {
    return new LazyImage(source, {}, undefined, maxPixels);
  }

  static ofRaster(image: RasterImage, maxPixels: number): LazyImage {
    return new LazyImage(sourceOf(image), {}, image, maxPixels);
  }

  get size(): Size {
    const { cut, resize: scaled, rotate = 0, crop } = this.operations;
    if (crop) return { width: crop.width, height: crop.height };
    const { width, height } = scaled ?? cut ?? this.source;
    return rotate % 180 === 0 ? { width, height } : { width: height, height: width };
  }

  get frameCount(): number {
    return this.source.frameCount;
  }

  /** Pixels of all frames together. */
  get pixelCount(): number {
    const { width, height } = this.size;
    return width * height * this.frameCount;
  }

  /** False only if every pixel is opaque. */
  get mayBeTransparent(): boolean {
    return this.source.hasAlpha;
  }

  /** A part of the image. */
  async extract(part: Rectangle): Promise<LazyImage> {
    const { width, height } = this.size;
    if (part.width === width && part.height === height) return this;
    if (this.frameCount > 1) return this.mapFrames((frame) => extract(frame, part));
    if (this.operations.filter) return (await this.settled()).extract(part);
    const { cut, resize: scaled, flip, flop, rotate, crop } = this.operations;
    if (crop) return this.with({ crop: within(crop, part) });
    const isScaled = scaled !== undefined || flip === true || flop === true || rotate !== undefined;
    return this.with(isScaled ? { crop: part } : { cut: cut ? within(cut, part) : part });
  }

  /** The image at another size. A smaller size takes the place of earlier, larger ones. */
  async resize(to: Size): Promise<LazyImage> {
    const { width, height } = this.size;
    if (to.width === width && to.height === height) return this;
    if (this.pixels && this.frameCount > 1) return this.mapFrames((frame) => resize(frame, to));
    const isSmaller = to.width <= width && to.height <= height;
    const { cut, resize: scaled, flip, flop, rotate, crop, filter } = this.operations;
    const isTurned = flip === true || flop === true || rotate !== undefined;
    // Enlarging shows the loss of an earlier reduction, so both must happen.
    if (filter || isTurned || (scaled && !isSmaller)) return (await this.settled()).resize(to);
    if (!crop) return this.with({ resize: to });
    const part = unscaled(crop, cut ?? { ...this.source, left: 0, top: 0 }, scaled);
    // The edge of the part is moved by half a pixel of the source at most.
    if (to.width <= part.width && to.height <= part.height) {
      return new LazyImage(this.source, { cut: part, resize: to }, undefined, this.maxPixels);
    }
    return (await this.settled()).resize(to);
  }

  /** The image, rotated or flipped. */
  async turn(by: Turn): Promise<LazyImage> {
    const { flip, flop, rotate, crop, filter } = this.operations;
    const isQuarter = typeof by !== 'number' || by % 90 === 0;
    if (this.frameCount > 1 || !isQuarter) return this.mapFrames((frame) => turn(frame, by));
    if (typeof by === 'number' && by % 360 === 0) return this;
    // sharp flips before it rotates, and both before the crop and a filter.
    if (filter || crop || rotate !== undefined) return (await this.settled()).turn(by);
    if (by === 'hflip') return this.with({ flop: flop !== true });
    if (by === 'vflip') return this.with({ flip: flip !== true });
    return this.with({ rotate: ((by % 360) + 360) % 360 });
  }

  /** The image, filtered. */
  async filter(filter: Filter): Promise<LazyImage> {
    if (this.frameCount > 1) return this.mapFrames((frame) => fromSharp(filter(toSharp(frame))));
    return this.operations.filter ? (await this.settled()).filter(filter) : this.with({ filter });
  }

  /** Applies a function to the pixels of each frame. */
  async mapFrames(apply: (frame: Frame) => Promise<Frame> | Frame): Promise<LazyImage> {
    return LazyImage.ofRaster(await mapFrames(await this.raster(), apply), this.maxPixels);
  }

  /** @throws {RenderError} 400 for a corrupt file, or more pixels than an unpacked image may have. */
  async raster(): Promise<RasterImage> {
    if (this.pixels) return this.pixels;
    this.refuseIfTooLarge();
    const { data, info } = await this.unpack(
      (await this.pipeline()).toColourspace('srgb').ensureAlpha().raw({ depth: 'uchar' }),
    );
    const { frameCount, delays, loop } = this.source;
    return { frames: framesOf(data, info.width, info.height / frameCount), delays, loop };
  }

  /** One pipeline of all operations for an encoder, or null if the pixels must be converted first. */
  async encodable(): Promise<Sharp | null> {
    if (!this.source.isBytes || this.frameCount > 1 || this.pixels) return null;
    this.refuseIfTooLarge();
    return (await this.pipeline()).toColourspace('srgb');
  }

  private refuseIfTooLarge(): void {
    const { width, height } = this.size;
    refuseTooLarge(width, height, this.frameCount, this.maxPixels);
  }

  private with(operations: Operations): LazyImage {
    return new LazyImage(this.source, { ...this.operations, ...operations }, undefined, this.maxPixels);
  }

  /** The same image with its operations done, and without an alpha channel that the source does not have. */
  private async settled(): Promise<LazyImage> {
    const { hasAlpha, frameCount } = this.source;
    if (hasAlpha || frameCount > 1) return LazyImage.ofRaster(await this.raster(), this.maxPixels);
    this.refuseIfTooLarge();
    const { data, info } = await this.unpack(
      (await this.pipeline()).toColourspace('srgb').removeAlpha().raw({ depth: 'uchar' }),
    );
    return LazyImage.ofSource(rawSource(data, info), this.maxPixels);
  }

  private async pipeline(): Promise<Sharp> {
    const { cut, resize: scaled, flip, flop, rotate, crop, filter } = this.operations;
    let pipeline: Sharp;
    const shrink = this.shrinkBeforeCut();
    if (cut && shrink > 1) {
      const to = {
        width: Math.ceil(this.source.width / shrink),
        height: Math.ceil(this.source.height / shrink),
      };
      const small = this.source.open().resize(to.width, to.height, { fit: 'fill' });
      const { data, info } = await this.unpack(small.toColourspace('srgb').raw({ depth: 'uchar' }));
      pipeline = rawSource(data, info)
        .open()
        .extract(unscaled(cut, { left: 0, top: 0, ...to }, this.source));
    } else {
      pipeline = this.source.open();
      if (cut) pipeline = pipeline.extract(cut);
    }
    if (scaled) pipeline = pipeline.resize(scaled.width, scaled.height, { fit: 'fill' });
    if (flip === true) pipeline = pipeline.flip();
    if (flop === true) pipeline = pipeline.flop();
    if (rotate !== undefined) pipeline = pipeline.rotate(rotate);
    if (crop) pipeline = pipeline.extract(crop);
    return filter ? filter(pipeline) : pipeline;
  }

  /**
   * sharp decodes at full size if a part is cut out first. The factor by which to scale down while decoding: the part
   * keeps twice the resolution that is needed, so that its edges move by a quarter of a pixel of the result at most.
   */
  private shrinkBeforeCut(): number {
    const { cut, resize: scaled } = this.operations;
    if (!cut || !scaled || !this.source.shrinksOnLoad) return 1;
    const factor = Math.min(cut.width / scaled.width, cut.height / scaled.height);
    return SHRINKS.find((each) => each * 2 <= factor) ?? 1;
  }

  private async unpack(pipeline: Sharp): Promise<{ data: Buffer; info: OutputInfo }> {
    return await pipeline.toBuffer({ resolveWithObject: true }).catch(() => {
      throw new RenderError(400, 'Invalid image file');
    });
  }
}

/** A part of a part. */
const within = (outer: Rectangle, inner: Rectangle): Rectangle => ({
  ...inner,
  left: outer.left + inner.left,
  top: outer.top + inner.top,
});

/** The part of `area`, in whole pixels, that is `part` of the area at another size. */
function unscaled(part: Rectangle, area: Rectangle, size: Size | undefined): Rectangle {
  const [x, y] = size ? [area.width / size.width, area.height / size.height] : [1, 1];
  const width = Math.min(area.width, Math.max(1, Math.round(part.width * x)));
  const height = Math.min(area.height, Math.max(1, Math.round(part.height * y)));
  return {
    width,
    height,
    left: area.left + Math.min(Math.round(part.left * x), area.width - width),
    top: area.top + Math.min(Math.round(part.top * y), area.height - height),
  };
}

function sourceOf({ frames, delays, loop }: RasterImage): Source {
  const [{ width, height, pixels }] = frames;
  return {
    ...rawSource(pixels, { width, height, channels: 4 }),
    ...{ frameCount: frames.length, delays, loop },
  };
}

function rawSource(
  data: Buffer,
  { width, height, channels }: { readonly width: number; readonly height: number; readonly channels: number },
): Source {
  const raw = { width, height, channels: channels as 1 | 2 | 3 | 4 };
  return {
    ...{ width, height, hasAlpha: channels === 2 || channels === 4, isBytes: true, shrinksOnLoad: false },
    ...{ frameCount: 1, delays: [], loop: 0 },
    open: () => sharp(data, { raw, limitInputPixels: false }),
  };
}

function framesOf(data: Buffer, width: number, height: number): [Frame, ...Frame[]] {
  const length = width * height * 4;
  const frame = (at: number): Frame => ({ width, height, pixels: data.subarray(at, at + length) });
  const frames: [Frame, ...Frame[]] = [frame(0)];
  for (let at = length; at < data.length; at += length) frames.push(frame(at));
  return frames;
}
