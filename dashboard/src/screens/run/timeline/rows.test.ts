import { expect, test } from "vitest";
import type { NodeView, RunView } from "../../../api/types";
import { busySpans, rowsOf } from "./rows";

function view(...nodes: NodeView[]): Map<string, RunView> {
  return new Map([["", { id: "r", flow: "f", status: "running", scope: "", started_at_ms: 0, took_ms: 100, nodes } as RunView]]);
}

const node = (name: string, more: Partial<NodeView>): NodeView => ({ name, status: "succeeded", is_final: true, calls: 0, busy_ms: 0, ...more });
const call = (kind: string, number: number, ended: number, took: number, failed = false, why?: string) =>
  ({ kind, number, ended_at_ms: ended, took_us: took * 1000, failed, ...(why === undefined ? {} : { why }) });

test("attempts, waits and polls are told apart", () => {
  const [row] = rowsOf(view(node("vm", {
    began_at_ms: 0,
    phases: [{ status: "running", since_ms: 0, until_ms: 10 }, { status: "polling", since_ms: 10, until_ms: 60 }],
    attempts: [call("attempt", 1, 10, 9), call("poll", 1, 30, 1, false, "booting"), call("poll", 2, 60, 1)],
  })), 100);
  expect(row?.bars.map(({ kind, tone }) => `${kind} ${tone}`)).toEqual(["wait idle", "wait wait", "call ok", "poll wait", "poll ok"]);
  expect(busySpans([row].flatMap((one) => one ?? []))).toEqual([{ from: 1, to: 10 }, { from: 29, to: 30 }, { from: 59, to: 60 }]);
});

test("what goes on reaches until now, and a failed call is one", () => {
  const rows = rowsOf(view(
    node("late", { status: "waiting", is_final: false }),
    node("now", { status: "running", is_final: false, began_at_ms: 40, phases: [{ status: "running", since_ms: 40 }] }),
    node("once", { status: "failed", began_at_ms: 5, attempts: [call("attempt", 1, 20, 10, true, "no")] }),
  ), 100);
  expect(rows.map(({ name }) => name)).toEqual(["once", "now", "late"]);
  expect(rows[0]?.bars).toEqual([{ from: 10, to: 20, kind: "call", tone: "bad", says: "attempt 1: no" }]);
  expect(rows[1]?.bars).toEqual([{ from: 40, to: 100, kind: "call", tone: "run", says: "running" }]);
});
