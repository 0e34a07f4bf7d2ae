import { expect, test } from "vitest";
import { fit, holds, home, meets, reveal, sight, zoom } from "./camera";

const window = { width: 800, height: 600 };

test("what lies below the pointer stays there", () => {
  const camera = { x: 10, y: -30, k: 0.8 };
  const at = { x: 300, y: 200 };
  const world = (of: typeof camera) => [(at.x - of.x) / of.k, (at.y - of.y) / of.k];
  const after = zoom(camera, at, 1.5, 0.1);
  expect(after.k).toBeCloseTo(1.2);
  world(camera).forEach((value, axis) => { expect(world(after)[axis]).toBeCloseTo(value); });
});

test("zooming ends somewhere", () => {
  expect(zoom({ x: 0, y: 0, k: 2 }, { x: 0, y: 0 }, 100, 0.05).k).toBe(2.5);
  expect(zoom({ x: 0, y: 0, k: 2 }, { x: 0, y: 0 }, 0.0001, 0.05).k).toBe(0.05);
});

test("all of a graph fits, and a small one is not blown up", () => {
  const world = { width: 9000, height: 400 };
  expect(holds(sight(fit(world, window), window, 0), { left: 0, top: 0, right: 9000, bottom: 400 })).toBe(true);
  expect(fit({ width: 100, height: 50 }, window).k).toBe(1);
});

test("what is revealed is in sight, and what is in sight does not move", () => {
  const camera = { x: 0, y: 0, k: 1 };
  const far = { left: 2000, top: -500, right: 2180, bottom: -446 };
  expect(holds(sight(reveal(camera, far, window), window, 0), far)).toBe(true);
  expect(reveal(camera, { left: 100, top: 100, right: 280, bottom: 154 }, window)).toEqual(camera);
});

test("boxes meet", () => {
  const a = { left: 0, top: 0, right: 10, bottom: 10 };
  expect(meets(a, { left: 10, top: 10, right: 20, bottom: 20 })).toBe(true);
  expect(meets(a, { left: 11, top: 0, right: 20, bottom: 10 })).toBe(false);
});

test("a graph that would be too small to read is shown where it begins", () => {
  const world = { width: 4000, height: 300 };
  const start = { x: 92, y: 150 };
  const first = home(world, window, start);
  expect(first.k).toBeGreaterThan(fit(world, window).k);
  expect(holds(sight(first, window, 0), { left: 0, top: 100, right: 184, bottom: 200 })).toBe(true);
  expect(home({ width: 400, height: 300 }, window, start)).toEqual(fit({ width: 400, height: 300 }, window));
});
