import type { Component } from '../chain/component.js';
import type { Approximations } from './approximations.js';
import type { Rectangle, Size } from './box.js';
import { toSharp } from './effects/pixels.js';
import { type Corner, place } from './layers/placement.js';
import type { LazyImage } from './lazy-image.js';
import type { Frame } from './raster-image.js';
import { RenderError } from './render.errors.js';
import sharp from 'sharp';

/** Pixels; undefined if a component has no such parameter. */
export interface Offset {
  readonly x: number | undefined;
  readonly y: number | undefined;
}

/** The position of a window. */
export interface Aim {
  /** A compass direction or `xy_center`. */
  readonly gravity: string;
  readonly x: number;
  readonly y: number;
  /** The point to center, as fractions of width and height; overrides the gravity. */
  readonly focus: Focus | undefined;
}

interface Focus {
  readonly x: number;
  readonly y: number;
}

const COMPASS = /^(?:(?:north|south)(?:_(?:east|west))?|east|west|center)$/;
/**
 * The reference's fallbacks for undetected content, which always apply here: north for faces, center for `face:center`
 * and custom coordinates (transformation_reference#g_special_position).
 */
const UNDETECTED: ReadonlyMap<string, string> = new Map([
  ['face', 'north'],
  ['faces', 'north'],
  ['adv_face', 'north'],
  ['adv_faces', 'north'],
  ['adv_eyes', 'north'],
  ['custom:face', 'north'],
  ['custom:faces', 'north'],
  ['custom:adv_face', 'north'],
  ['custom:adv_faces', 'north'],
  ['face:center', 'center'],
  ['faces:center', 'center'],
  ['custom', 'center'],
]);
const UNSUPPORTED = /^(?:liquid$|cld-decompose_tile$|clipping_path_)/;

/**
 * Reads `g`, `x` and `y` for a crop. Gravities that depend on content use libvips' attention (edges, saturation, skin
 * tones), and are noted.
 * @param offset In pixels of what the window is placed in.
 * @throws {RenderError} 400 for a gravity that has no approximation.
 */
export async function readAim(
  component: Component,
  image: LazyImage,
  offset: Offset,
  notes: Approximations,
): Promise<Aim> {
  const { x = 0, y = 0 } = offset;
  // Fixed coordinates start at the top left corner (transformation_reference#x_y_coordinates).
  const isFixed = component.values.get('c') === 'crop' && (offset.x !== undefined || offset.y !== undefined);
  const gravity =
    component.values.get('g') ??
    (component.values.get('c') === 'auto' ? 'auto' : isFixed ? 'north_west' : 'center');
  if (COMPASS.test(gravity) || gravity === 'xy_center') return { gravity, x, y, focus: undefined };
  if (UNSUPPORTED.test(gravity)) {
    throw new RenderError(400, `Gravity ${gravity} is not supported in component ${component.text}`);
  }
  const undetected = UNDETECTED.get(gravity);
  if (undetected !== undefined) {
    notes.add(`g_${gravity}: nothing is detected, ${undetected}`);
    return { gravity: undetected, x, y, focus: undefined };
  }
  // Cloudinary centers animations (transformation_reference#g_auto).
  if (image.frameCount > 1) return { gravity: 'center', x, y, focus: undefined };
  notes.add(`g_${gravity}: attention`);
  return { gravity: 'center', x, y, focus: await findFocus((await image.raster()).frames[0]) };
}

/** A window entirely within the image. */
export function placeWithin(image: Size, window: Size, aim: Aim): Rectangle {
  const { left, top } = corner(image, window, aim);
  return {
    left: Math.min(Math.max(0, left), image.width - window.width),
    top: Math.min(Math.max(0, top), image.height - window.height),
    width: window.width,
    height: window.height,
  };
}

/** The part of a window within the image, or undefined if there is none. */
export function clipTo(image: Size, window: Size, aim: Aim): Rectangle | undefined {
  const { left, top } = corner(image, window, aim);
  const fromX = Math.max(0, left);
  const fromY = Math.max(0, top);
  const width = Math.min(image.width, left + window.width) - fromX;
  const height = Math.min(image.height, top + window.height) - fromY;
  return width > 0 && height > 0 ? { left: fromX, top: fromY, width, height } : undefined;
}

function corner(image: Size, window: Size, { gravity, x, y, focus }: Aim): Corner {
  if (!focus) return place(image, window, gravity, x, y);
  const centered = place(image, window, 'xy_center', focus.x * image.width, focus.y * image.height);
  // The point decides, but the window stays within the image.
  return {
    left: Math.min(Math.max(0, centered.left), Math.max(0, image.width - window.width)),
    top: Math.min(Math.max(0, centered.top), Math.max(0, image.height - window.height)),
  };
}

/** The most salient point of a frame. */
async function findFocus(frame: Frame): Promise<Focus> {
  const { width, height } = frame;
  const center: Focus = { x: 0.5, y: 0.5 };
  if (width < 2 && height < 2) return center;
  // Half of the longer side is cut off without scaling, so the point is in the frame's own pixels.
  const window =
    width >= height ? { width: Math.ceil(width / 2), height } : { width, height: Math.ceil(height / 2) };
  const { info } = await toSharp(frame)
    .resize({ ...window, fit: 'cover', position: sharp.strategy.attention })
    .raw()
    .toBuffer({ resolveWithObject: true });
  const { attentionX, attentionY } = info;
  if (attentionX === undefined || attentionY === undefined) return center;
  return { x: attentionX / width, y: attentionY / height };
}
