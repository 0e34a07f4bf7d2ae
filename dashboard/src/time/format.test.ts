import { expect, test } from "vitest";
import { ago, bytes, clock, count, duration, full, whole } from "./format";

test.each([
  [0, "0 ms"], [0.34, "340 µs"], [1, "1 ms"], [1.26, "1.3 ms"], [12.4, "12 ms"], [999, "999 ms"], [999.6, "1 s"],
  [1240, "1.24 s"], [9_999, "10 s"], [59_940, "59.9 s"], [59_960, "1 min"], [125_000, "2 min 5 s"], [3_600_000, "1 h"],
  [12_000_000, "3 h 20 min"], [352_800_000, "4 d 2 h"], [-1, "–"], [Number.NaN, "–"],
])("%d ms reads %s", (ms, text) => {
  expect(duration(ms)).toBe(text);
});

test("how long ago", () => {
  const now = 1_000_000_000;
  expect([0, 12_500, 200_000, -300_000].map((away) => ago(now - away, now))).toEqual(["now", "12 s ago", "3 min ago", "in 5 min"]);
});

test("times in UTC", () => {
  const at = Date.UTC(2026, 10, 22, 10, 5, 7, 42);
  expect(full(at, "utc")).toBe("2026-11-22 10:05:07 UTC");
  expect(clock(at, "utc", true)).toBe("10:05:07.042");
});

test("counts and sizes", () => {
  expect([999, 9_999, 12_345, 999_499, 4_500_000].map(count)).toEqual(["999", "9,999", "12.3k", "999k", "4.5M"]);
  expect([0, 999, 1_200, 999_960, 3_400_000].map(bytes)).toEqual(["0 B", "999 B", "1.2 kB", "1 MB", "3.4 MB"]);
});

test("what something is about is said to the last digit", () => {
  expect([whole(0), whole(10_000), whole(1_234_567)]).toEqual(["0", "10,000", "1,234,567"]);
  expect(count(10_000)).toBe("10k");
});
