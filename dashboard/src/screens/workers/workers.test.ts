import { expect, test } from "vitest";
import type { QueueRow, WorkerRow } from "../../api/types";
import { flowsByPlan, sortedQueues, sortedWorkers } from "./workers";

const worker = (id: string, is_alive: boolean, name?: string): WorkerRow =>
  ({ id, is_alive, name: name ?? null, host: "h", pid: 1, version: "1", until_ms: 0, slots: 1, in_hand: 0, lanes: [], serves: [] });
const queue = (flow: string, lane: string | null, oldest_ready_ms: number | null): QueueRow =>
  ({ flow, lane, plan: "p", ready: 0, later: 0, in_hand: 0, held: 0, oldest_ready_ms });

test("workers that live come first, by name", () => {
  const rows = sortedWorkers([worker("c", false), worker("b", true), worker("z", true, "a")]);
  expect(rows.map((row) => row.id)).toEqual(["z", "b", "c"]);
});

test("what has waited longest comes first", () => {
  const rows = sortedQueues([queue("b", null, null), queue("a", "x", null), queue("a", null, null), queue("c", null, 9), queue("d", null, 5)]);
  expect(rows.map((row) => `${row.flow}${row.lane ?? ""}`)).toEqual(["d", "c", "a", "ax", "b"]);
});

test("a plan is found also when it is an old one", () => {
  const flow = { name: "f", plan: "new", plans: ["old", "new"], has_code: true, workers: 1 };
  expect(flowsByPlan([flow]).get("old")).toBe("f");
});
