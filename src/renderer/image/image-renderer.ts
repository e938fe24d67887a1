import type { LayerAsset } from '../../transformations/asset-layer.js';
import { defaultImages, parseChain } from '../chain/chain.parser.js';
import { type LayerStep, nestLayers, type Step } from '../chain/chain-tree.js';
import type { Component } from '../chain/component.js';
import { Approximations } from './approximations.js';
import type { Measures } from './arithmetic.js';
import { contentDisposition } from './attachment.js';
import { readBox, type Size } from './box.js';
import { inspect, openOriginal, type OriginalInfo } from './decode.js';
import { LazyImage } from './lazy-image.js';
import { type Delivery, readDelivery } from './delivery.js';
import {
  chooseTarget,
  contentTypeOf,
  encode,
  formatOf,
  type Encoded,
  isAutomatic,
  isIn,
  noteDelivery,
  type OutputFormat,
} from './encode.js';
import { placeLayer, splitLayer } from './layer-step.js';
import { foresee } from './foresight.js';
import { isLeftOut } from './layers/placement.js';
import { DEFAULT_LIMITS, type RenderLimits, RenderWork } from './limits.js';
import type { Originals } from './originals.js';
import { RenderError } from './render.errors.js';
import { refuseUnsupported } from './support.js';
import { renderText, type TextOptions } from './text/render-text.js';
import type { TextStyle } from './text/text-style.js';
import { applyTransform, type TransformContext } from './transform.js';

export type { Originals } from './originals.js';

/** A parsed delivery URL. */
export interface RenderRequest {
  readonly deliveryType: LayerAsset['deliveryType'];
  /** Decoded, without the extension. */
  readonly publicId: string;
  /** Of the uploaded file, without its extension; absent if unknown. */
  readonly originalFilename?: string | null;
  /** Components as in the URL. */
  readonly chain: readonly string[];
  /** The URL's extension, in lower case; empty for the original's format. */
  readonly format: string;
  /** The client's Accept, for `f_auto`. */
  readonly accept: string | undefined;
}

/** A rendered image. */
export interface RenderedImage {
  readonly body: Buffer;
  readonly contentType: string;
  /** Pixels of one frame. */
  readonly width: number;
  readonly height: number;
  /**
   * `Content-Disposition` of `fl_attachment`, `X-Pixseal-Approximate` with the differences from Cloudinary,
   * `X-Cld-Error` beside a default image.
   */
  readonly headers: Readonly<Record<string, string>>;
  /** Whether the response depends on the Accept header. */
  readonly varyByAccept: boolean;
}

/** Flags that leave the stored bytes unchanged. */
const UNCHANGING_FLAGS = new Set([
  'attachment',
  'getinfo',
  'immutable_cache',
  'original',
  'sanitize',
  'rasterize',
]);

/** Renders a chain of Cloudinary's transformations to an image. Independent of HTTP and of the originals' storage. */
export class ImageRenderer {
  constructor(
    private readonly originals: Originals,
    private readonly limits: RenderLimits = DEFAULT_LIMITS,
    /** Named text styles. */
    private readonly textStyles: ReadonlyMap<string, TextStyle> = new Map(),
    /** Paths of the operator's fonts. */
    private readonly fonts: readonly string[] = [],
  ) {}

  /**
   * @param signal Checked between operations; if aborted, rejects with the signal's reason.
   * @throws {RenderError} 400 for an invalid or unsupported chain, 404 if there is no original.
   */
  async render(request: RenderRequest, signal: AbortSignal): Promise<RenderedImage> {
    signal.throwIfAborted();
    const components = parseChain(request.chain);
    const steps = nestLayers(components);
    const notes = new Approximations();
    refuseUnsupported(components, notes);
    const ofImage = steps.flatMap((step) => (step.kind === 'transform' ? [step.component] : []));
    const delivery = readDelivery(components, ofImage);

    if (delivery.flags.has('getinfo')) notes.add('fl_getinfo: size, bytes and format only');
    const { body, isMissing } = await this.getOriginal(request, delivery);
    const { page = 0, orient } = delivery;
    const info = await inspect(
      body,
      { page, orient, density: Number(delivery.density) || undefined },
      this.limits,
    );
    const target = chooseTarget(delivery, request.format, request.accept, info);
    const isUntouched = components.every(
      ({ values, flags }) =>
        [...values.keys()].every((code) => code === 'fl') &&
        [...flags.keys()].every((flag) => UNCHANGING_FLAGS.has(flag)),
    );
    const toRenderedImage = (file: Size & Encoded): RenderedImage => ({
      ...(delivery.flags.has('getinfo')
        ? { body: describe({ ...info, body }, file), contentType: 'application/json' }
        : { body: file.body, contentType: contentTypeOf(file.format) }),
      width: file.width,
      height: file.height,
      headers: headersOf(request, delivery, file.format, { notes, isMissing }),
      varyByAccept: isAutomatic(delivery.format),
    });
    if (isUntouched && isIn(target, info)) {
      // The original itself is requested: its bytes are delivered, including metadata.
      return toRenderedImage({ ...info, body, format: target.format ?? 'jpg' });
    }
    if (info.approximation !== undefined) notes.add(info.approximation);
    const work = new RenderWork(this.limits.work, this.limits.heldPixels);
    const context = this.contextFor(info, page, undefined, { notes, signal, work });
    const image = await openOriginal(info, { allFrames: target.animated, orient }, this.limits);
    const rendered = await this.run(image, steps, context);
    signal.throwIfAborted();
    const encoded = await encode(rendered, target, delivery, readDensity(delivery.density, info), body);
    signal.throwIfAborted();
    const { width, height } = rendered.size;
    noteDelivery(delivery, info.format, encoded.format, notes);
    return toRenderedImage({ ...encoded, width, height });
  }

  /** The original, or the image of `d_` if there is none. */
  private async getOriginal(
    { deliveryType, publicId }: RenderRequest,
    { defaultImage }: Delivery,
  ): Promise<{ readonly body: Buffer; readonly isMissing: boolean }> {
    const body = await this.originals.find(deliveryType, publicId);
    if (body) return { body, isMissing: false };
    for (const asset of defaultImage === undefined ? [] : defaultImages(defaultImage)) {
      const fallback = await this.originals.find(asset.deliveryType, asset.publicId);
      if (fallback) return { body: fallback, isMissing: true };
    }
    throw new RenderError(404, `Resource not found - ${publicId}`);
  }

  private contextFor(
    info: Pick<OriginalInfo, 'width' | 'height' | 'pageCount'>,
    page: number,
    base: Size | undefined,
    shared: Pick<TransformContext, 'notes' | 'signal' | 'work'>,
  ): TransformContext {
    return {
      initial: {
        initialWidth: info.width,
        initialHeight: info.height,
        pageCount: info.pageCount,
        currentPage: page + 1,
      },
      base,
      limits: this.limits,
      ...shared,
    };
  }

  private async run(image: LazyImage, steps: readonly Step[], context: TransformContext): Promise<LazyImage> {
    let result = image;
    let foreseen = 0;
    for (const [index, step] of steps.entries()) {
      context.signal.throwIfAborted();
      const next = steps.slice(index);
      context.work.foresee(countSameSize(next) * result.pixelCount);
      if (index >= foreseen) {
        const { pixels, components } = foresee(leadingTransforms(next), result.size, context);
        context.work.foresee(pixels * result.frameCount);
        foreseen = index + components;
      }
      result =
        step.kind === 'transform'
          ? await applyTransform(result, step.component, context)
          : await this.addLayer(result, step, context);
    }
    return result;
  }

  private async addLayer(base: LazyImage, step: LayerStep, below: TransformContext): Promise<LazyImage> {
    const { opening, closing, placing } = splitLayer(step);
    const gravity = placing.values.get('g') ?? '';
    if (isLeftOut(gravity)) {
      below.notes.add(`g_${gravity} of a layer: left out, as without a face`);
      return base;
    }
    const layer = await below.work.hold(base.pixelCount, async () => {
      const { image, context } = await this.openLayer(step.component, base.size, below);
      const opened = await applyTransform(image, opening, context);
      const rendered = await this.run(opened, step.steps, context);
      return closing ? await applyTransform(rendered, closing, context) : rendered;
    });
    const placed = await placeLayer(await base.raster(), await layer.raster(), step, placing, below);
    return LazyImage.ofRaster(placed, this.limits.pixels);
  }

  private async openLayer(
    component: Component,
    base: Size,
    { notes, signal, work, initial }: TransformContext,
  ): Promise<{ readonly image: LazyImage; readonly context: TransformContext }> {
    const { layer } = component;
    const shared = { notes, signal, work };
    if (layer?.kind !== 'asset') {
      const options = { ...this.textOptions(component, base, { ...base, ...initial }), notes };
      const image = await renderText(layer?.text ?? '', options);
      const [{ width, height }] = image.frames;
      return {
        image: LazyImage.ofRaster(image, this.limits.pixels),
        context: this.contextFor({ width, height, pageCount: 1 }, 0, base, shared),
      };
    }
    const body = await this.originals.find(layer.asset.deliveryType, layer.asset.publicId);
    if (!body) throw new RenderError(404, `Resource not found - ${layer.asset.publicId}`);
    const { orient, page = 0 } = readDelivery([component], [component]);
    const info = await inspect(body, { page, orient, density: undefined }, this.limits);
    if (info.approximation !== undefined) notes.add(info.approximation);
    if (info.isAnimated) notes.add('l: the first frame of an animation');
    const context = this.contextFor(info, page, base, shared);
    return {
      context,
      image: await openOriginal(info, { allFrames: false, orient }, this.limits),
    };
  }

  private textOptions(component: Component, base: Size, measures: Measures): TextOptions {
    const { values, flags } = component;
    const [color, background, border, crop] = [
      values.get('co'),
      values.get('b'),
      values.get('bo'),
      values.get('c'),
    ];
    const { width } = readBox(component, measures, base);
    return {
      ...(color === undefined ? {} : { color }),
      ...(background === undefined ? {} : { background }),
      ...(border === undefined ? {} : { border }),
      ...(crop === undefined ? {} : { crop }),
      ...(width === undefined ? {} : { width }),
      flags: new Set(flags.keys()),
      styles: this.textStyles,
      fonts: this.fonts,
    };
  }
}

/** The components up to the first layer, which may make the image larger. */
function leadingTransforms(steps: readonly Step[]): readonly Component[] {
  const components: Component[] = [];
  for (const step of steps) {
    if (step.kind === 'layer') break;
    components.push(step.component);
  }
  return components;
}

/** Parameters after which an image may be smaller. */
const RESIZING = ['w', 'h', 'c', 'ar', 'a', 'e'] as const;

/** The minimum number of next components that start from an image of this size: up to the first that may shrink it. */
function countSameSize(steps: readonly Step[]): number {
  const next = steps.findIndex((step) => step.kind === 'transform' && mayShrink(step.component));
  return next < 0 ? steps.length : next + 1;
}

/** Of the effects, only `trim` and `distort` may shrink an image. */
function mayShrink({ values }: Component): boolean {
  return RESIZING.some(
    (code) => values.has(code) && (code !== 'e' || /^(?:trim|distort)/.test(values.get('e') ?? '')),
  );
}

function headersOf(
  { publicId, originalFilename }: RenderRequest,
  { flags }: Delivery,
  format: OutputFormat,
  { notes, isMissing }: { readonly notes: Approximations; readonly isMissing: boolean },
): Readonly<Record<string, string>> {
  // The JSON of `getinfo` is read, not saved.
  const attachment = flags.has('getinfo') ? undefined : flags.get('attachment');
  const approximate = notes.header;
  return {
    ...(attachment === undefined
      ? {}
      : {
          'Content-Disposition': contentDisposition(attachment, originalFilename ?? publicId, format),
        }),
    ...(approximate === undefined ? {} : { 'X-Pixseal-Approximate': approximate }),
    // With a placeholder Cloudinary still reports the missing image (transformation_reference#d_default_image).
    ...(isMissing ? { 'X-Cld-Error': `Resource not found - ${publicId.replace(/[^\x20-\x7e]/g, '?')}` } : {}),
  };
}

/** The JSON of `fl_getinfo`: size, bytes and format of the original and of the image. */
function describe(input: OriginalInfo & { readonly body: Buffer }, output: Size & Encoded): Buffer {
  const of = ({ width, height, body }: Size & { readonly body: Buffer }, format: string): object => ({
    ...{ width, height, bytes: body.length, format },
  });
  return Buffer.from(
    JSON.stringify({
      input: of(input, formatOf(input) ?? input.format),
      output: of(output, output.format),
    }),
  );
}

/** `idn` is the original's own density. */
const readDensity = (value: string | undefined, { density }: OriginalInfo): number | undefined =>
  value === undefined ? undefined : value === 'idn' ? density : Number(value);
