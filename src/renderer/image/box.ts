import type { Component } from '../chain/component.js';
import { evaluate, isShare, type Measures } from './arithmetic.js';
import { RenderError } from './render.errors.js';

/** Whole pixels. */
export interface Size {
  readonly width: number;
  readonly height: number;
}

/** A part of an image, in whole pixels. */
export interface Rectangle extends Size {
  readonly left: number;
  readonly top: number;
}

/** The size that a component requests; a missing side is undefined. Not rounded. */
export interface Box {
  readonly width: number | undefined;
  readonly height: number | undefined;
  /** Width divided by height, if `ar` is given. */
  readonly ratio: number | undefined;
  /** Device pixel ratio. */
  readonly dpr: number;
  /** The zoom of a crop beyond the detected region; 1 without `z`. */
  readonly zoom: number;
}

/** Error of a division by a ratio; far below any fraction of a pixel that two sides can have. */
const FLOATING_ERROR = 1e-9;

/**
 * The renderer's only rounding rule: the nearest whole pixel (halves up), at least 1. Intermediate lengths are not
 * rounded, only sizes to which an image is resized, cut or padded.
 */
export const wholePixels = (length: number): number => Math.max(1, Math.round(length + FLOATING_ERROR));

/**
 * Reads `w`, `h`, `ar`, `dpr` and `z`.
 * @param relativeTo The size that fractions refer to: the image itself, or with `fl_relative` the one below a layer.
 * @throws {RenderError} 400 for a computed length or ratio that is zero or negative.
 */
export function readBox(component: Component, measures: Measures, relativeTo: Size): Box {
  const { values } = component;
  const positive = (code: string, read: (text: string) => number): number | undefined => {
    const text = values.get(code);
    const value = text === undefined ? undefined : read(text);
    if (value === undefined || value > 0) return value;
    throw new RenderError(
      400,
      `Invalid value ${text ?? ''} for parameter ${code} in component ${component.text}`,
    );
  };
  return {
    width: positive('w', (text) => side(text, relativeTo.width, measures)),
    height: positive('h', (text) => side(text, relativeTo.height, measures)),
    ratio: positive('ar', (text) => readRatio(text, measures)),
    dpr: readDpr(component),
    zoom: positive('z', (text) => evaluate(text, measures)) ?? 1,
  };
}

/** `auto` is 1 for a client without hints (transformation_reference#dpr_dpr). */
export function readDpr({ values }: Component): number {
  const dpr = values.get('dpr') ?? 'auto';
  return dpr === 'auto' ? 1 : Number(dpr);
}

/** An offset in pixels: whole numbers times the device pixel ratio, fractions of `whole`. */
export function readOffset(
  text: string | undefined,
  whole: number,
  measures: Measures,
  dpr: number,
): number | undefined {
  if (text === undefined) return undefined;
  return isShare(text) ? Number(text) * whole : evaluate(text, measures) * dpr;
}

function side(text: string, whole: number, measures: Measures): number {
  if (isShare(text)) return Number(text) * whole;
  if (text.startsWith('auto')) return automaticWidth(text, measures);
  return evaluate(text, measures);
}

/**
 * Without client hints, `auto` is the third part, the fallback, or else the image's own width
 * (transformation_reference#w_width).
 */
function automaticWidth(text: string, measures: Measures): number {
  const fallback = /^auto:[^:]+.*:(\d+)$/.exec(text)?.[1];
  return fallback === undefined ? measures.width : Number(fallback);
}

function readRatio(text: string, measures: Measures): number {
  const [width, height] = text.split(':');
  return height === undefined ? evaluate(text, measures) : Number(width) / Number(height);
}
