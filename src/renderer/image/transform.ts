import type { Component } from '../chain/component.js';
import type { Approximations } from './approximations.js';
import { evaluate, type Measures } from './arithmetic.js';
import { type Background, blurredBackdrop, flatten, readBackground } from './background.js';
import { addBorder, readBorder } from './border.js';
import { type Box, readBox, readDpr, readOffset, type Rectangle, type Size, wholePixels } from './box.js';
import { type Radii, readRadii, roundCorners } from './corners.js';
import { applyEffect, type EffectContext, effectFidelity, effectFilter } from './effects/apply-effect.js';
import { mapAlpha } from './effects/pixels.js';
import { isOfRegion, withoutQualifiers } from './effects/qualifiers.js';
import { type Plan, planGeometry } from './geometry.js';
import { clipTo, type Offset, placeWithin, readAim } from './gravity.js';
import { draw } from './layers/blend.js';
import { refuseTooLarge, type RenderLimits, type RenderWork } from './limits.js';
import { LazyImage } from './lazy-image.js';
import type { Frame } from './raster-image.js';
import { RenderError } from './render.errors.js';
import { onCanvas } from './reshape.js';
import { needsRotation, readTurns, turnedSize } from './rotate.js';

/** The references of a component's values, and its resource limits. */
export interface TransformContext {
  /** The original's size, pages and the page shown. */
  readonly initial: Pick<Measures, 'initialWidth' | 'initialHeight' | 'pageCount' | 'currentPage'>;
  /** The image below a layer: with `fl_relative` fractions refer to it. */
  readonly base: Size | undefined;
  readonly limits: RenderLimits;
  readonly work: RenderWork;
  readonly notes: Approximations;
  readonly signal: AbortSignal;
}

/** Effects whose shape follows the rounded corners, so they are applied after them. */
const AROUND_THE_SHAPE = /^(?:shadow|dropshadow|outline)(?:$|:)/;
/** Applied to the image before it is padded. */
const BEFORE_THE_PADDING = /^gradient_fade(?!:symmetric_pad)(?:$|:)/;
/** Applied before the crop, so that the trimmed parts do not affect it. */
const BEFORE_THE_CROP = /^trim(?:$|:)/;

/**
 * Applies one component to an image, in this order: trim, automatic rotation, crop and padding, rotation and flips,
 * effect, opacity, corners, border, shadow, background.
 * @throws {RenderError} 400 for an unsupported parameter, or an image above the limit.
 */
export async function applyTransform(
  image: LazyImage,
  component: Component,
  context: TransformContext,
): Promise<LazyImage> {
  context.work.charge(image.pixelCount);
  const { values } = component;
  const [effect, opacity] = [values.get('e'), values.get('o')];
  const runEffect = async (input: LazyImage): Promise<LazyImage> =>
    effect === undefined ? input : await withEffect(input, component, effect, context);
  const isFirst = effect !== undefined && BEFORE_THE_CROP.test(effect);
  const isLast = effect !== undefined && AROUND_THE_SHAPE.test(effect);

  const isInner =
    effect !== undefined && BEFORE_THE_PADDING.test(effect) && (values.get('c') ?? '').endsWith('pad');
  const shape = withoutQualifiers(component);

  let result = isFirst ? await runEffect(image) : image;
  const turns = readTurns(shape, boxOf(shape, result.size, context), measuresOf(result.size, context));
  for (const each of turns.before) result = await result.turn(each);
  const { image: reshaped, background } = await reshape(
    result,
    shape,
    context,
    isInner ? runEffect : undefined,
  );
  result = reshaped;
  if (needsRotation(turns.after)) result = await result.resize(limitedForRotation(result.size));
  for (const each of turns.after) {
    refuseUnlessWithin(turnedSize(result.size, each), result, context);
    result = await result.turn(each);
  }
  if (!isFirst && !isInner && !isLast) result = await runEffect(result);
  if (opacity !== undefined) {
    const share = Math.min(100, Math.max(0, evaluate(opacity, measuresOf(result.size, context)))) / 100;
    result = await eachFrame(result, context, (frame) => mapAlpha(frame, (alpha) => alpha * share));
  }
  result = await roundAndFrame(result, component, context);
  if (isLast) result = await runEffect(result);
  if (background && background.kind !== 'blurred' && result.mayBeTransparent) {
    result = await eachFrame(result, context, (frame) => flatten(frame, background));
  }
  return result;
}

/** "If either the width or height exceeds 3000 pixels, the asset is automatically downscaled first" (a_degrees). */
const LONGEST_ROTATED = 3000;

/** The size that an image is scaled to before it is rotated. */
export function limitedForRotation({ width, height }: Size): Size {
  const factor = LONGEST_ROTATED / Math.max(width, height);
  return factor >= 1
    ? { width, height }
    : { width: wholePixels(width * factor), height: wholePixels(height * factor) };
}

/** What one component's expressions see of an image. */
export function measuresOf({ width, height }: Size, { initial }: TransformContext): Measures {
  return { width, height, ...initial };
}

/** The size that a component names, for an image of this size. */
export function boxOf(component: Component, image: Size, { base, initial }: TransformContext): Box {
  const relativeTo = component.flags.has('relative') && base ? base : image;
  return readBox(component, { width: image.width, height: image.height, ...initial }, relativeTo);
}

/** The fill of `b`. Automatic colours depend on the image's pixels. */
async function backgroundOf(
  component: Component,
  image: LazyImage,
  { notes }: TransformContext,
): Promise<Background | undefined> {
  const value = component.values.get('b');
  if (value === undefined) return undefined;
  const background = await readBackground(value, async () => (await image.raster()).frames[0], notes);
  if (background.kind === 'blurred' && !(component.values.get('c') ?? '').endsWith('pad')) {
    throw new RenderError(400, `Background ${value} needs a padding crop in component ${component.text}`);
  }
  return background;
}

async function withEffect(
  image: LazyImage,
  component: Component,
  effect: string,
  context: TransformContext,
): Promise<LazyImage> {
  const { values } = component;
  const [name = ''] = effect.split(':', 1);
  if (effectFidelity(name) === 'approximate') context.notes.add(`e_${name}`);
  const filter = effectFilter(effect);
  if (filter) return await image.filter(filter);
  const [color, background] = [values.get('co'), values.get('b')];
  const { x, y } = offsetOf(component, image.size, context, readDpr(component));
  const region = isOfRegion(effect) ? regionOf(component, image.size, context) : {};
  const effectContext: EffectContext = {
    ...(color === undefined ? {} : { color }),
    ...(background === undefined ? {} : { background }),
    ...(x === undefined ? {} : { x }),
    ...(y === undefined ? {} : { y }),
    ...region,
    signal: context.signal,
  };
  const result = await applyEffect(await image.raster(), effect, effectContext);
  const [first] = result.frames;
  if (result.frames.some(({ width, height }) => width !== first.width || height !== first.height)) {
    throw new RenderError(
      400,
      `Effect ${effect} is not supported for an animation: its frames differ in size`,
    );
  }
  refuseTooLarge(first.width, first.height, result.frames.length, context.limits.pixels);
  context.signal.throwIfAborted();
  return LazyImage.ofRaster(result, context.limits.pixels);
}

/**
 * `w` and `h` as the sides of an effect's region, in pixels.
 * @throws {RenderError} 400 beside a crop, whose size they would be, and for a region that must be detected: without it
 *   what should be hidden would be visible.
 */
function regionOf(
  { values, text }: Component,
  image: Size,
  context: TransformContext,
): Pick<EffectContext, 'width' | 'height'> {
  const other = ['c', 'g', 'ar', 'z'].find((code) => values.has(code));
  if (other !== undefined) {
    throw new RenderError(
      400,
      `Parameter ${other} is not supported beside an effect of a region in component ${text}`,
    );
  }
  const read = (code: string, whole: number): number | undefined =>
    readOffset(values.get(code), whole, measuresOf(image, context), 1);
  const [width, height] = [read('w', image.width), read('h', image.height)];
  return { ...(width === undefined ? {} : { width }), ...(height === undefined ? {} : { height }) };
}

/**
 * `x` and `y` in pixels; fractions refer to the given image.
 * @param dpr Multiplies pixels; fractions scale with the image.
 */
export function offsetOf(
  component: Component,
  image: Size,
  { initial }: TransformContext,
  dpr: number,
): Offset {
  const { width, height } = image;
  const measures = { width, height, ...initial };
  return {
    x: readOffset(component.values.get('x'), width, measures, dpr),
    y: readOffset(component.values.get('y'), height, measures, dpr),
  };
}

async function reshape(
  image: LazyImage,
  component: Component,
  context: TransformContext,
  beforePadding: ((image: LazyImage) => Promise<LazyImage>) | undefined,
): Promise<{ readonly image: LazyImage; readonly background: Background | undefined }> {
  const first = image.size;
  const plan = planGeometry(component, first, boxOf(component, first, context));
  for (const size of [plan.resize, plan.canvas]) {
    if (size) refuseUnlessWithin(size, image, context);
  }
  let result = image;
  let target = plan.resize;
  if (plan.cut) {
    const aim = await readAim(component, image, offsetOf(component, first, context, 1), context.notes);
    const part = clipTo(first, plan.cut, aim);
    if (!part) throw new RenderError(400, `Nothing of the image is left by component ${component.text}`);
    target = plan.resize && shrunkAsCut(plan.resize, plan.cut, first, part);
    result = await result.extract(part);
  }
  if (target) result = await result.resize(target);
  const background = await backgroundOf(component, result, context);
  if (beforePadding) result = await beforePadding(result);
  return {
    image: await cropAndPad(result, component, { plan, background, scaledFrom: first }, context),
    background,
  };
}

/** A window that was clipped at the image's edge is scaled by the same factor. */
function shrunkAsCut(requested: Size, cut: Size, image: Size, part: Rectangle): Size {
  const expected = {
    width: Math.min(cut.width, image.width),
    height: Math.min(cut.height, image.height),
  };
  return {
    width: wholePixels((requested.width * part.width) / expected.width),
    height: wholePixels((requested.height * part.height) / expected.height),
  };
}

async function cropAndPad(
  image: LazyImage,
  component: Component,
  reshaping: {
    readonly plan: Plan;
    readonly background: Background | undefined;
    readonly scaledFrom: Size;
  },
  context: TransformContext,
): Promise<LazyImage> {
  const { plan, background, scaledFrom } = reshaping;
  const first = image.size;
  const { canvas, crop } = plan;
  if (!canvas && (!crop || (crop.width === first.width && crop.height === first.height))) return image;
  // A point to center refers to the original image; other offsets are within the result.
  const isPoint = component.values.get('g') === 'xy_center';
  const point = isPoint ? offsetOf(component, scaledFrom, context, 1) : undefined;
  const offset = point
    ? {
        x: point.x === undefined ? undefined : (point.x * first.width) / scaledFrom.width,
        y: point.y === undefined ? undefined : (point.y * first.height) / scaledFrom.height,
      }
    : offsetOf(component, first, context, readDpr(component));
  const aim = await readAim(component, image, offset, context.notes);
  const result = crop ? await image.extract(placeWithin(first, crop, aim)) : image;
  if (!canvas) return result;
  // On a canvas the image is placed, so there is no point to follow.
  const placed = placeWithin(canvas, result.size, {
    ...aim,
    focus: undefined,
    gravity: isPoint ? 'center' : aim.gravity,
  });
  return await eachFrame(result, context, async (frame) => {
    if (background?.kind !== 'blurred') return onCanvas(frame, canvas, placed.left, placed.top);
    const backdrop = await blurredBackdrop(frame, canvas, background);
    draw(backdrop, frame, placed.left, placed.top);
    return backdrop;
  });
}

async function roundAndFrame(
  image: LazyImage,
  component: Component,
  context: TransformContext,
): Promise<LazyImage> {
  const [radius, border] = [component.values.get('r'), component.values.get('bo')];
  let result = image;
  let radii: Radii | undefined;
  if (radius !== undefined) {
    const rounded = readRadii(radius, result.size, measuresOf(result.size, context));
    radii = rounded;
    result = await eachFrame(result, context, (frame) => roundCorners(frame, rounded));
  }
  if (border !== undefined) {
    const line = readBorder(border);
    const { width, height } = result.size;
    refuseUnlessWithin({ width: width + 2 * line.width, height: height + 2 * line.width }, result, context);
    result = await eachFrame(result, context, (frame) => addBorder(frame, line, radii));
  }
  return result;
}

function refuseUnlessWithin(
  { width, height }: Size,
  { frameCount }: LazyImage,
  { limits }: TransformContext,
): void {
  refuseTooLarge(width, height, frameCount, limits.pixels);
}

/** Applies a function to each frame, unless it is aborted or an image grows too large. */
async function eachFrame(
  image: LazyImage,
  context: TransformContext,
  apply: (frame: Frame) => Promise<Frame> | Frame,
): Promise<LazyImage> {
  return await image.mapFrames(async (frame) => {
    context.signal.throwIfAborted();
    const result = await apply(frame);
    refuseUnlessWithin(result, image, context);
    return result;
  });
}
