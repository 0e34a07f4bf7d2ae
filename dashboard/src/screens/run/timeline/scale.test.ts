import { expect, test } from "vitest";
import { scale, ticks, union } from "./scale";

const HOUR = 3_600_000;

test("spans that touch are one", () => {
  expect(union([{ from: 5, to: 9 }, { from: 0, to: 2 }, { from: 8, to: 12 }, { from: 2, to: 3 }])).toEqual([{ from: 0, to: 3 }, { from: 5, to: 12 }]);
});

test("as it is, a line is even", () => {
  const even = scale({ from: 100, to: 300 }, [], false);
  expect([100, 150, 300, 50, 400].map(even.place)).toEqual([0, 0.25, 1, 0, 1]);
  expect(even.moment(0.25)).toBe(150);
  expect(even.breaks).toEqual([]);
});

test("a long sleep is squeezed, and the work around it gets the room", () => {
  const busy = [{ from: 0, to: 1000 }, { from: HOUR, to: HOUR + 1000 }];
  const whole = { from: 0, to: HOUR + 1000 };
  const squeezed = scale(whole, busy, true);
  expect(squeezed.breaks).toHaveLength(1);
  expect(squeezed.breaks[0]).toMatchObject({ from: 1000, to: HOUR });
  expect(squeezed.place(1000)).toBeGreaterThan(0.2);
  expect(squeezed.gain).toBeGreaterThan(100);
  expect(scale(whole, busy, false).place(1000)).toBeLessThan(0.001);
});

test("places and moments are each other's inverse, and time never runs back", () => {
  const busy = Array.from({ length: 40 }, (_, n) => ({ from: n * n * 1000, to: n * n * 1000 + 300 }));
  const squeezed = scale({ from: 0, to: 1_600_000 }, busy, true);
  let last = -1;
  for (let at = 0; at <= 1_600_000; at += 4_321) {
    const place = squeezed.place(at);
    expect(place).toBeGreaterThanOrEqual(last);
    expect(squeezed.moment(place)).toBeCloseTo(at, 3);
    last = place;
  }
});

test("what has no length is shown all the same", () => {
  const point = scale({ from: 5, to: 5 }, [], true);
  expect(point.place(5)).toBe(0);
  expect(ticks(point, 5)).toEqual([]);
});

test("ticks are even numbers", () => {
  const of = scale({ from: 1000, to: 11_000 }, [], false);
  expect(ticks(of, 5).map((at) => at - 1000)).toEqual([2000, 4000, 6000, 8000]);
});
