import { expect, test } from "vitest";
import { fits, said } from "./audit";

test("all words must be there, in any place", () => {
  const row = { at_ms: 1, operation: "stop_run", path: "/api/v1/runs/order-7/stop", status: 200, who: "Ann" };
  expect(said(row.operation)).toBe("stop run");
  for (const search of ["", "ann", "ANN stop", "order-7 200", "stop run"]) expect(fits(row, search)).toBe(true);
  for (const search of ["bob", "ann kill"]) expect(fits(row, search)).toBe(false);
});
