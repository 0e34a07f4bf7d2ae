// What of a graph is in sight: `screen = world × k + (x, y)`.
import type { Point } from "./layered";

export interface Camera {
  x: number;
  y: number;
  k: number;
}

export interface Box {
  left: number;
  top: number;
  right: number;
  bottom: number;
}

export interface Size {
  width: number;
  height: number;
}

const NEAREST = 2.5;
/** So near a small graph is shown at first. */
const NATURAL = 1;
const MARGIN = 28;

/** Zooms, and leaves the world below `at` where it is. */
export function zoom(camera: Camera, at: Point, factor: number, farthest: number): Camera {
  const k = Math.min(NEAREST, Math.max(Math.min(farthest, 0.2), camera.k * factor));
  const change = k / camera.k;
  return { k, x: at.x - (at.x - camera.x) * change, y: at.y - (at.y - camera.y) * change };
}

/** All of it, in the middle. */
export function fit(world: Size, window: Size): Camera {
  const room = { width: Math.max(40, window.width - 2 * MARGIN), height: Math.max(40, window.height - 2 * MARGIN) };
  const k = Math.min(NATURAL, room.width / Math.max(1, world.width), room.height / Math.max(1, world.height));
  return { k, x: (window.width - world.width * k) / 2, y: (window.height - world.height * k) / 2 };
}

/** Smaller than this, words cannot be read. */
const READABLE = 0.55;
const AT_FIRST = 0.8;

/** What is shown at first: all of it, if that can be read, else where it begins. */
export function home(world: Size, window: Size, start: Point): Camera {
  const all = fit(world, window);
  if (all.k >= READABLE) return all;
  const k = AT_FIRST;
  const place = (length: number, room: number, from: number) =>
    length * k <= room - 2 * MARGIN ? (room - length * k) / 2 : Math.min(MARGIN, Math.max(room - MARGIN - length * k, room / 2 - from * k));
  return { k, x: place(world.width, window.width, start.x), y: place(world.height, window.height, start.y) };
}

/** Moves as little as is needed for a box to be in sight. */
export function reveal(camera: Camera, box: Box, window: Size): Camera {
  const k = Math.max(camera.k, 0.6);
  const centred = k === camera.k ? camera : zoom(camera, { x: window.width / 2, y: window.height / 2 }, k / camera.k, camera.k);
  const shift = (low: number, high: number, room: number) =>
    low < MARGIN ? MARGIN - low : high > room - MARGIN ? room - MARGIN - high : 0;
  return {
    k: centred.k,
    x: centred.x + shift(box.left * k + centred.x, box.right * k + centred.x, window.width),
    y: centred.y + shift(box.top * k + centred.y, box.bottom * k + centred.y, window.height),
  };
}

/** What of the world is in sight, and `margin` windows around it. */
export function sight(camera: Camera, window: Size, margin: number): Box {
  const left = -camera.x / camera.k;
  const top = -camera.y / camera.k;
  const width = window.width / camera.k;
  const height = window.height / camera.k;
  return { left: left - width * margin, top: top - height * margin, right: left + width * (1 + margin), bottom: top + height * (1 + margin) };
}

export function meets(a: Box, b: Box): boolean {
  return a.left <= b.right && a.right >= b.left && a.top <= b.bottom && a.bottom >= b.top;
}

export function holds(outer: Box, inner: Box): boolean {
  return outer.left <= inner.left && outer.right >= inner.right && outer.top <= inner.top && outer.bottom >= inner.bottom;
}
