import type { Component } from '../chain/component.js';
import type { Approximations } from './approximations.js';
import { evaluate, type Measures } from './arithmetic.js';
import { type Background, blurredBackdrop, flatten, readBackground } from './background.js';
import { addBorder, readBorder } from './border.js';
import { type Box, readBox, readDpr, readOffset, type Size, wholePixels } from './box.js';
import { type Radii, readRadii, roundCorners } from './corners.js';
import { applyEffect, type EffectContext, effectFidelity } from './effects/apply-effect.js';
import { mapAlpha } from './effects/pixels.js';
import { type Plan, planGeometry } from './geometry.js';
import { clipTo, type Offset, placeWithin, readAim, type Rectangle } from './gravity.js';
import { draw } from './layers/blend.js';
import { refuseTooLarge, type RenderLimits, type RenderWork } from './limits.js';
import { type Frame, mapFrames, type RasterImage } from './raster-image.js';
import { RenderError } from './render.errors.js';
import { extract, onCanvas, resize } from './reshape.js';
import { needsRotation, readTurns, turn } from './rotate.js';

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
/** Applied before the crop, so that the trimmed parts do not affect it. */
const BEFORE_THE_CROP = /^trim(?:$|:)/;

/**
 * Applies one component to an image, in this order: trim, automatic rotation, crop and padding, rotation and flips,
 * effect, opacity, corners, border, shadow, background.
 * @throws {RenderError} 400 for an unsupported parameter, or an image above the limit.
 */
export async function applyTransform(
  image: RasterImage,
  component: Component,
  context: TransformContext,
): Promise<RasterImage> {
  context.work.charge(image);
  const { values } = component;
  const [effect, opacity] = [values.get('e'), values.get('o')];
  const runEffect = async (input: RasterImage): Promise<RasterImage> =>
    effect === undefined ? input : await withEffect(input, component, effect, context);
  const isFirst = effect !== undefined && BEFORE_THE_CROP.test(effect);
  const isLast = effect !== undefined && AROUND_THE_SHAPE.test(effect);

  let result = isFirst ? await runEffect(image) : image;
  const turns = readTurns(
    component,
    boxOf(component, result.frames[0], context),
    measuresOf(result.frames[0], context),
  );
  for (const each of turns.before) result = await eachFrame(result, context, (frame) => turn(frame, each));
  const background = backgroundOf(component, result, context);
  result = await reshape(result, component, background, context);
  if (needsRotation(turns.after)) {
    result = await eachFrame(result, context, (frame) => resize(frame, limitedForRotation(frame)));
  }
  for (const each of turns.after) result = await eachFrame(result, context, (frame) => turn(frame, each));
  if (!isFirst && !isLast) result = await runEffect(result);
  if (opacity !== undefined) {
    const share = Math.min(100, Math.max(0, evaluate(opacity, measuresOf(result.frames[0], context)))) / 100;
    result = await eachFrame(result, context, (frame) => mapAlpha(frame, (alpha) => alpha * share));
  }
  result = await roundAndFrame(result, component, context);
  if (isLast) result = await runEffect(result);
  if (background?.kind === 'paint') {
    const { paint } = background;
    result = await eachFrame(result, context, (frame) => flatten(frame, paint));
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

function backgroundOf(
  component: Component,
  image: RasterImage,
  { notes }: TransformContext,
): Background | undefined {
  const value = component.values.get('b');
  if (value === undefined) return undefined;
  const background = readBackground(value, image, notes);
  if (background.kind === 'blurred' && !(component.values.get('c') ?? '').endsWith('pad')) {
    throw new RenderError(400, `Background ${value} needs a padding crop in component ${component.text}`);
  }
  return background;
}

async function withEffect(
  image: RasterImage,
  component: Component,
  effect: string,
  context: TransformContext,
): Promise<RasterImage> {
  const { values } = component;
  const [color, background] = [values.get('co'), values.get('b')];
  const { x, y } = offsetOf(component, image.frames[0], context, readDpr(component));
  const effectContext: EffectContext = {
    ...(color === undefined ? {} : { color }),
    ...(background === undefined ? {} : { background }),
    ...(x === undefined ? {} : { x }),
    ...(y === undefined ? {} : { y }),
    signal: context.signal,
  };
  const [name = ''] = effect.split(':', 1);
  if (effectFidelity(name) === 'approximate') context.notes.add(`e_${name}`);
  const result = await applyEffect(image, effect, effectContext);
  const [first] = result.frames;
  if (result.frames.some(({ width, height }) => width !== first.width || height !== first.height)) {
    throw new RenderError(
      400,
      `Effect ${effect} is not supported for an animation: its frames differ in size`,
    );
  }
  refuseTooLarge(first.width, first.height, result.frames.length, context.limits.pixels);
  context.signal.throwIfAborted();
  return result;
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

/**
 * The size to which a component first scales an image, for a decoder that can do it at once. Undefined if another
 * operation comes before, or if the component would scale the scaled image further.
 */
export function firstResize(component: Component, image: Size, context: TransformContext): Size | undefined {
  const { values } = component;
  const isFirst =
    !(values.get('a') ?? '').includes('auto_') &&
    !BEFORE_THE_CROP.test(values.get('e') ?? '') &&
    !/^(?:auto|blurred)/.test(values.get('b') ?? '') &&
    // Coordinates refer to the image before it is scaled.
    !values.has('x') &&
    !values.has('y');
  const plan = (size: Size): Plan => planGeometry(component, size, boxOf(component, size, context));
  const { cut, resize: size } = plan(image);
  if (!isFirst || cut || !size) return undefined;
  const again = plan(size).resize;
  return again?.width === size.width && again.height === size.height ? size : undefined;
}

async function reshape(
  image: RasterImage,
  component: Component,
  background: Background | undefined,
  context: TransformContext,
): Promise<RasterImage> {
  const [first] = image.frames;
  const plan = planGeometry(component, first, boxOf(component, image.frames[0], context));
  for (const size of [plan.resize, plan.canvas]) {
    if (size) refuseTooLarge(size.width, size.height, image.frames.length, context.limits.pixels);
  }
  let result = image;
  let target = plan.resize;
  if (plan.cut) {
    const aim = await readAim(component, first, offsetOf(component, first, context, 1), context.notes);
    const part = clipTo(first, plan.cut, aim);
    if (!part) throw new RenderError(400, `Nothing of the image is left by component ${component.text}`);
    target = plan.resize && shrunkAsCut(plan.resize, plan.cut, first, part);
    result = await eachFrame(result, context, (frame) => extract(frame, part));
  }
  if (target) {
    const size = target;
    result = await eachFrame(result, context, (frame) => resize(frame, size));
  }
  return await cropAndPad(result, component, { plan, background, scaledFrom: first }, context);
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
  image: RasterImage,
  component: Component,
  reshaping: {
    readonly plan: Plan;
    readonly background: Background | undefined;
    readonly scaledFrom: Size;
  },
  context: TransformContext,
): Promise<RasterImage> {
  const { plan, background, scaledFrom } = reshaping;
  const [first] = image.frames;
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
  const aim = await readAim(component, first, offset, context.notes);
  let result = image;
  if (crop) {
    const part = placeWithin(first, crop, aim);
    result = await eachFrame(result, context, (frame) => extract(frame, part));
  }
  if (!canvas) return result;
  // On a canvas the image is placed, so there is no point to follow.
  const placed = placeWithin(canvas, result.frames[0], {
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
  image: RasterImage,
  component: Component,
  context: TransformContext,
): Promise<RasterImage> {
  const [radius, border] = [component.values.get('r'), component.values.get('bo')];
  let result = image;
  let radii: Radii | undefined;
  if (radius !== undefined) {
    const rounded = readRadii(radius, result.frames[0], measuresOf(result.frames[0], context));
    radii = rounded;
    result = await eachFrame(result, context, (frame) => roundCorners(frame, rounded));
  }
  if (border !== undefined) {
    const line = readBorder(border);
    const [{ width, height }] = result.frames;
    refuseTooLarge(
      width + 2 * line.width,
      height + 2 * line.width,
      result.frames.length,
      context.limits.pixels,
    );
    result = await eachFrame(result, context, (frame) => addBorder(frame, line, radii));
  }
  return result;
}

/** Applies a function to each frame, unless it is aborted or an image grows too large. */
async function eachFrame(
  image: RasterImage,
  { signal, limits }: TransformContext,
  apply: (frame: Frame) => Promise<Frame> | Frame,
): Promise<RasterImage> {
  return await mapFrames(image, async (frame) => {
    signal.throwIfAborted();
    const result = await apply(frame);
    refuseTooLarge(result.width, result.height, image.frames.length, limits.pixels);
    return result;
  });
}
