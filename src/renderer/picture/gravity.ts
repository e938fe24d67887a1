import type { Component } from '../chain/component.js';
import type { Approximations } from './approximations.js';
import type { Size } from './box.js';
import { toSharp } from './effects/pixels.js';
import { type Corner, place } from './layers/placement.js';
import type { Frame } from './picture.js';
import { RenderError } from './render.errors.js';
import sharp from 'sharp';

/** A part of a picture, in whole pixels. */
export interface Rectangle extends Size, Corner {}

/** Pixels; undefined where a component has no such parameter. */
export interface Offset {
  readonly x: number | undefined;
  readonly y: number | undefined;
}

/** What a window is placed by. */
export interface Aim {
  /** A compass direction or `xy_center`. */
  readonly gravity: string;
  readonly x: number;
  readonly y: number;
  /** The point to keep in the middle, as shares of width and height; it comes before the gravity. */
  readonly focus: Focus | undefined;
}

interface Focus {
  readonly x: number;
  readonly y: number;
}

const COMPASS = /^(?:(?:north|south)(?:_(?:east|west))?|east|west|center)$/;
/**
 * Where the reference places what was neither detected nor marked, which here is always: faces in the north,
 * `face:center` and custom coordinates in the center (transformation_reference#g_special_position).
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
 * Reads `g`, `x` and `y` for a crop. What follows the picture's content is answered with libvips' attention
 * (edges, saturation, skin tones), and noted.
 * @param offset In pixels of what the window is placed in.
 * @throws {RenderError} 400 for a gravity that has no approximation.
 */
export async function readAim(
  component: Component,
  frame: Frame,
  offset: Offset,
  notes: Approximations,
): Promise<Aim> {
  const { x = 0, y = 0 } = offset;
  // Fixed coordinates count from the top left corner (transformation_reference#x_y_coordinates).
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
  notes.add(`g_${gravity}: attention`);
  return { gravity: 'center', x, y, focus: await findFocus(frame) };
}

/** A window wholly within the picture. */
export function placeWithin(picture: Size, window: Size, aim: Aim): Rectangle {
  const { left, top } = corner(picture, window, aim);
  return {
    left: Math.min(Math.max(0, left), picture.width - window.width),
    top: Math.min(Math.max(0, top), picture.height - window.height),
    width: window.width,
    height: window.height,
  };
}

/** What of a window lies within the picture, or undefined where nothing does. */
export function clipTo(picture: Size, window: Size, aim: Aim): Rectangle | undefined {
  const { left, top } = corner(picture, window, aim);
  const fromX = Math.max(0, left);
  const fromY = Math.max(0, top);
  const width = Math.min(picture.width, left + window.width) - fromX;
  const height = Math.min(picture.height, top + window.height) - fromY;
  return width > 0 && height > 0 ? { left: fromX, top: fromY, width, height } : undefined;
}

function corner(picture: Size, window: Size, { gravity, x, y, focus }: Aim): Corner {
  if (!focus) return place(picture, window, gravity, x, y);
  const centered = place(picture, window, 'xy_center', focus.x * picture.width, focus.y * picture.height);
  // The point wins, but no window sticks out for it.
  return {
    left: Math.min(Math.max(0, centered.left), Math.max(0, picture.width - window.width)),
    top: Math.min(Math.max(0, centered.top), Math.max(0, picture.height - window.height)),
  };
}

/** The most striking point of a frame. */
async function findFocus(frame: Frame): Promise<Focus> {
  const { width, height } = frame;
  const center: Focus = { x: 0.5, y: 0.5 };
  if (width < 2 && height < 2) return center;
  // Half of the longer side is cut off without scaling, so the point comes back in the frame's own pixels.
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
