import { expect, test } from "vitest";
import type { RunRow } from "../../api/types";
import { failures, percent, successRate } from "./grid";

test("failures count against the runs that came so far", () => {
  const run = { id: "1", flow: "f", status: "failed", started_at_ms: 0, plan: "p", input_bytes: 0, labels: {} } as RunRow;
  const grid = { nodes: ["a", "b"], runs: [{ run, states: ["succeeded", "failed"] }, { run, states: ["parked", "waiting"] }, { run, states: [null, "skipped"] }], cut: false };
  expect([failures(grid, 0), failures(grid, 1)]).toEqual([{ failed: 1, reached: 2 }, { failed: 1, reached: 1 }]);
});

test("a rate is never rounded to all or nothing", () => {
  expect(successRate({ succeeded: 0, failed: 0, stopped: 0 })).toBeNull();
  expect(successRate({ succeeded: 3, failed: 1, stopped: 0 })).toBe(0.75);
  expect([percent(1), percent(0), percent(0.99999), percent(0.0001), percent(0.985), percent(0.75)])
    .toEqual(["100 %", "0 %", "99.9 %", "0.1 %", "98.5 %", "75 %"]);
});
