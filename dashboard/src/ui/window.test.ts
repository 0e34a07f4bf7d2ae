import { expect, test } from "vitest";
import { inSight } from "./window";

test("what is in sight is on the page, wherever the list is", () => {
  for (let top = 0; top < 5000 * 40 - 800; top += 977) {
    const { from, to } = inSight(top, 800, 40, 5000);
    expect(from).toBeLessThanOrEqual(Math.floor(top / 40));
    expect(to).toBeGreaterThanOrEqual(Math.ceil((top + 800) / 40));
    expect(to - from).toBeLessThan(60);
  }
});

test("a short list, an empty one, and one that was shortened while it was scrolled", () => {
  expect(inSight(0, 800, 40, 3)).toEqual({ from: 0, to: 3 });
  expect(inSight(0, 800, 40, 0)).toEqual({ from: 0, to: 0 });
  expect(inSight(-30, 800, 40, 100).from).toBe(0);
  const { from, to } = inSight(100_000, 800, 40, 10);
  expect(from).toBeLessThan(to);
});

test("a few pixels are no news", () => {
  expect(inSight(4001, 800, 40, 5000)).toEqual(inSight(4070, 800, 40, 5000));
});
