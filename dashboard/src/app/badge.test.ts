import { expect, test } from "vitest";
import { countEvery } from "./badge";

test("the badge is asked for seldom where nothing is followed", () => {
  expect(countEvery("live")).toBe(15_000);
  for (const state of ["off", "paused", "over", "reconnecting", "connecting"] as const) expect(countEvery(state)).toBe(60_000);
});
