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
import { type Frame, mapFrames, type Picture } from './picture.js';
import { RenderError } from './render.errors.js';
import { extract, onCanvas, resize } from './reshape.js';
import { needsRotation, readTurns, turn } from './rotate.js';

/** What a component's values may refer to, and what its work is bounded by. */
export interface TransformContext {
  /** The original's size, pages and the page shown. */
  readonly initial: Pick<Measures, 'initialWidth' | 'initialHeight' | 'pageCount' | 'currentPage'>;
  /** The picture below a layer: with `fl_relative` shares are shares of it. */
  readonly base: Size | undefined;
  readonly limits: RenderLimits;
  readonly work: RenderWork;
  readonly notes: Approximations;
  readonly signal: AbortSignal;
}

/** Effects whose shape follows the rounded corners, so they come after them. */
const AROUND_THE_SHAPE = /^(?:shadow|dropshadow|outline)(?:$|:)/;
/** What it cuts off should not count in a crop, so it comes before. */
const BEFORE_THE_CROP = /^trim(?:$|:)/;

/**
 * Applies one component to a picture, in this order: trim, automatic turn, crop and padding, turn and flips,
 * effect, opacity, corners, border, shadow, background.
 * @throws {RenderError} 400 for what is not supported, or a picture above the ceiling.
 */
export async function applyTransform(
  picture: Picture,
  component: Component,
  context: TransformContext,
): Promise<Picture> {
  context.work.charge(picture);
  const { values } = component;
  const [effect, opacity] = [values.get('e'), values.get('o')];
  const runEffect = async (input: Picture): Promise<Picture> =>
    effect === undefined ? input : await withEffect(input, component, effect, context);
  const isFirst = effect !== undefined && BEFORE_THE_CROP.test(effect);
  const isLast = effect !== undefined && AROUND_THE_SHAPE.test(effect);

  let result = isFirst ? await runEffect(picture) : picture;
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

/** The size that a picture is scaled to before it is rotated. */
export function limitedForRotation({ width, height }: Size): Size {
  const factor = LONGEST_ROTATED / Math.max(width, height);
  return factor >= 1
    ? { width, height }
    : { width: wholePixels(width * factor), height: wholePixels(height * factor) };
}

/** What one component's expressions see of a picture. */
export function measuresOf({ width, height }: Size, { initial }: TransformContext): Measures {
  return { width, height, ...initial };
}

/** The size that a component names, for a picture of this size. */
export function boxOf(component: Component, picture: Size, { base, initial }: TransformContext): Box {
  const relativeTo = component.flags.has('relative') && base ? base : picture;
  return readBox(component, { width: picture.width, height: picture.height, ...initial }, relativeTo);
}

function backgroundOf(
  component: Component,
  picture: Picture,
  { notes }: TransformContext,
): Background | undefined {
  const value = component.values.get('b');
  if (value === undefined) return undefined;
  const background = readBackground(value, picture, notes);
  if (background.kind === 'blurred' && !(component.values.get('c') ?? '').endsWith('pad')) {
    throw new RenderError(400, `Background ${value} needs a padding crop in component ${component.text}`);
  }
  return background;
}

async function withEffect(
  picture: Picture,
  component: Component,
  effect: string,
  context: TransformContext,
): Promise<Picture> {
  const { values } = component;
  const [color, background] = [values.get('co'), values.get('b')];
  const { x, y } = offsetOf(component, picture.frames[0], context, readDpr(component));
  const effectContext: EffectContext = {
    ...(color === undefined ? {} : { color }),
    ...(background === undefined ? {} : { background }),
    ...(x === undefined ? {} : { x }),
    ...(y === undefined ? {} : { y }),
    signal: context.signal,
  };
  const [name = ''] = effect.split(':', 1);
  if (effectFidelity(name) === 'approximate') context.notes.add(`e_${name}`);
  const result = await applyEffect(picture, effect, effectContext);
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
 * `x` and `y` in pixels; shares are of the given picture.
 * @param dpr What pixels are multiplied by; shares grow with the picture.
 */
export function offsetOf(
  component: Component,
  picture: Size,
  { initial }: TransformContext,
  dpr: number,
): Offset {
  const { width, height } = picture;
  const measures = { width, height, ...initial };
  return {
    x: readOffset(component.values.get('x'), width, measures, dpr),
    y: readOffset(component.values.get('y'), height, measures, dpr),
  };
}

/**
 * The size to which a component first scales a picture, for a decoder that can do it at once; undefined where
 * something comes before, or where the component, applied again to what is scaled already, would scale further.
 */
export function firstResize(
  component: Component,
  picture: Size,
  context: TransformContext,
): Size | undefined {
  const { values } = component;
  const isFirst =
    !(values.get('a') ?? '').includes('auto_') &&
    !BEFORE_THE_CROP.test(values.get('e') ?? '') &&
    !/^(?:auto|blurred)/.test(values.get('b') ?? '') &&
    // Coordinates are those of the picture before it is scaled.
    !values.has('x') &&
    !values.has('y');
  const plan = (size: Size): Plan => planGeometry(component, size, boxOf(component, size, context));
  const { cut, resize: size } = plan(picture);
  if (!isFirst || cut || !size) return undefined;
  const again = plan(size).resize;
  return again?.width === size.width && again.height === size.height ? size : undefined;
}

async function reshape(
  picture: Picture,
  component: Component,
  background: Background | undefined,
  context: TransformContext,
): Promise<Picture> {
  const [first] = picture.frames;
  const plan = planGeometry(component, first, boxOf(component, picture.frames[0], context));
  for (const size of [plan.resize, plan.canvas]) {
    if (size) refuseTooLarge(size.width, size.height, picture.frames.length, context.limits.pixels);
  }
  let result = picture;
  let target = plan.resize;
  if (plan.cut) {
    const aim = await readAim(component, first, offsetOf(component, first, context, 1), context.notes);
    const part = clipTo(first, plan.cut, aim);
    if (!part) throw new RenderError(400, `Nothing of the picture is left by component ${component.text}`);
    target = plan.resize && shrunkAsCut(plan.resize, plan.cut, first, part);
    result = await eachFrame(result, context, (frame) => extract(frame, part));
  }
  if (target) {
    const size = target;
    result = await eachFrame(result, context, (frame) => resize(frame, size));
  }
  return await cropAndPad(result, component, { plan, background, scaledFrom: first }, context);
}

/** A window that the picture's edge made smaller is scaled by the same factor. */
function shrunkAsCut(asked: Size, cut: Size, picture: Size, part: Rectangle): Size {
  const expected = {
    width: Math.min(cut.width, picture.width),
    height: Math.min(cut.height, picture.height),
  };
  return {
    width: wholePixels((asked.width * part.width) / expected.width),
    height: wholePixels((asked.height * part.height) / expected.height),
  };
}

async function cropAndPad(
  picture: Picture,
  component: Component,
  reshaping: {
    readonly plan: Plan;
    readonly background: Background | undefined;
    readonly scaledFrom: Size;
  },
  context: TransformContext,
): Promise<Picture> {
  const { plan, background, scaledFrom } = reshaping;
  const [first] = picture.frames;
  const { canvas, crop } = plan;
  if (!canvas && (!crop || (crop.width === first.width && crop.height === first.height))) return picture;
  // A point to center on is one of the picture as it was; other offsets are within the result.
  const isPoint = component.values.get('g') === 'xy_center';
  const point = isPoint ? offsetOf(component, scaledFrom, context, 1) : undefined;
  const offset = point
    ? {
        x: point.x === undefined ? undefined : (point.x * first.width) / scaledFrom.width,
        y: point.y === undefined ? undefined : (point.y * first.height) / scaledFrom.height,
      }
    : offsetOf(component, first, context, readDpr(component));
  const aim = await readAim(component, first, offset, context.notes);
  let result = picture;
  if (crop) {
    const part = placeWithin(first, crop, aim);
    result = await eachFrame(result, context, (frame) => extract(frame, part));
  }
  if (!canvas) return result;
  // In a canvas it is the picture that is placed, so there is no point of it to follow.
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
  picture: Picture,
  component: Component,
  context: TransformContext,
): Promise<Picture> {
  const [radius, border] = [component.values.get('r'), component.values.get('bo')];
  let result = picture;
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

/** Applies something to each frame, unless nobody waits for it any more or it grows too large. */
async function eachFrame(
  picture: Picture,
  { signal, limits }: TransformContext,
  apply: (frame: Frame) => Promise<Frame> | Frame,
): Promise<Picture> {
  return await mapFrames(picture, async (frame) => {
    signal.throwIfAborted();
    const result = await apply(frame);
    refuseTooLarge(result.width, result.height, picture.frames.length, limits.pixels);
    return result;
  });
}
