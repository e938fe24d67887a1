import type { Component } from '../chain/component.js';
import { evaluate, type Measures } from './arithmetic.js';
import type { Box, Size } from './box.js';
import { fromSharp, toSharp } from './effects/pixels.js';
import type { Frame } from './raster-image.js';
import sharp from 'sharp';

/** One rotation or flip. */
export type Turn = 'hflip' | 'vflip' | number;

/**
 * Reads `a`. `auto_right` and `auto_left` rotate by 90 degrees if the requested ratio and the image's are not both wide
 * or both high; they precede the crop, all others follow it
 * (https://cloudinary.com/documentation/transformation_reference#a_angle).
 */
export function readTurns(
  component: Component,
  box: Box,
  measures: Measures,
): { readonly before: readonly Turn[]; readonly after: readonly Turn[] } {
  const before: Turn[] = [];
  const after: Turn[] = [];
  const angle = component.values.get('a');
  const parts = angle === undefined ? [] : splitAngles(angle);
  for (const part of parts) {
    switch (part) {
      case 'hflip':
      case 'vflip':
        after.push(part);
        break;
      case 'ignore':
      case 'exif':
        // The camera's orientation is applied, or not, when the original is decoded.
        break;
      case 'auto_right':
      case 'auto_left':
        if (isOtherwise(box, measures)) before.push(part === 'auto_right' ? 90 : -90);
        break;
      default:
        after.push(evaluate(part, measures));
    }
  }
  return { before, after };
}

/** Angles are integers, separated by dots; in an expression a dot belongs to a number. */
const splitAngles = (text: string): readonly string[] =>
  /_(?:mul|div|add|sub|pow|mod)_/.test(text) ? [text] : text.split('.');

function isOtherwise({ width, height, ratio }: Box, measures: Measures): boolean {
  const requested = width !== undefined && height !== undefined ? width / height : ratio;
  return requested !== undefined && requested > 1 !== measures.width / measures.height > 1;
}

/** Rotates clockwise by degrees, or flips. The canvas grows to contain the result; its corners are transparent. */
export async function turn(frame: Frame, by: Turn): Promise<Frame> {
  if (by === 'hflip') return fromSharp(toSharp(frame).flop());
  if (by === 'vflip') return fromSharp(toSharp(frame).flip());
  const degrees = ((by % 360) + 360) % 360;
  if (degrees === 0) return frame;
  if (degrees % 90 === 0) return fromSharp(toSharp(frame).rotate(degrees));
  const { width, height, pixels } = premultiplied(frame);
  const raw = sharp(pixels, { raw: { width, height, channels: 4 } });
  return straight(await fromSharp(raw.rotate(degrees, { background: { r: 0, g: 0, b: 0, alpha: 0 } })));
}

/** Whether any of the turns rotates, by other than whole circles. */
export const needsRotation = (turns: readonly Turn[]): boolean =>
  turns.some((each) => typeof each === 'number' && each % 360 !== 0);

/** The size after a turn, as libvips rounds the box around what it rotates. */
export function turnedSize({ width, height }: Size, by: Turn): Size {
  if (typeof by !== 'number' || by % 180 === 0) return { width, height };
  if (by % 90 === 0) return { width: height, height: width };
  const [cosine, sine] = [Math.abs(Math.cos((by * Math.PI) / 180)), Math.abs(Math.sin((by * Math.PI) / 180))];
  return {
    width: Math.round(width * cosine + height * sine),
    height: Math.round(width * sine + height * cosine),
  };
}

/**
 * Between an opaque pixel and a transparent one a rotation interpolates colours too: weighed by alpha, the transparent
 * one's black does not darken the edge.
 */
export function premultiplied(frame: Frame): Frame {
  const pixels = Buffer.from(frame.pixels);
  for (let at = 0; at < pixels.length; at += 4) {
    const alpha = pixels[at + 3] ?? 0;
    if (alpha === 255) continue;
    for (let channel = at; channel < at + 3; channel += 1) {
      pixels[channel] = Math.round(((pixels[channel] ?? 0) * alpha) / 255);
    }
  }
  return { ...frame, pixels };
}

/** The inverse of `premultiplied`; changes the given frame. */
export function straight(frame: Frame): Frame {
  const { pixels } = frame;
  for (let at = 0; at < pixels.length; at += 4) {
    const alpha = pixels[at + 3] ?? 0;
    if (alpha === 0 || alpha === 255) continue;
    for (let channel = at; channel < at + 3; channel += 1) {
      pixels[channel] = Math.min(255, Math.round(((pixels[channel] ?? 0) * 255) / alpha));
    }
  }
  return frame;
}
