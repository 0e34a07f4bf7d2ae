// What the screen of workers and queues computes.
import type { FlowRow, QueueRow, WorkerRow } from "../../api/types";

export type FlowsByPlan = ReadonlyMap<string, string>;

/** Which flow a plan is of. */
export function flowsByPlan(flows: readonly FlowRow[]): FlowsByPlan {
  return new Map(flows.flatMap((flow) => flow.plans.map((plan) => [plan, flow.name] as const)));
}

/** Those that live first, then by name. */
export function sortedWorkers(workers: readonly WorkerRow[]): WorkerRow[] {
  const name = (worker: WorkerRow) => worker.name ?? worker.id;
  return [...workers].sort((a, b) => Number(b.is_alive) - Number(a.is_alive) || name(a).localeCompare(name(b)));
}

/** What has waited longest comes first; what does not wait, by name. */
export function sortedQueues(rows: readonly QueueRow[]): QueueRow[] {
  const since = (row: QueueRow) => row.oldest_ready_ms ?? Infinity;
  const order = (a: QueueRow, b: QueueRow) => (since(a) === since(b) ? 0 : since(a) - since(b));
  return [...rows].sort((a, b) => order(a, b) || a.flow.localeCompare(b.flow) || (a.lane ?? "").localeCompare(b.lane ?? ""));
}

/** A call that could begin does so within milliseconds, where there is room. */
export function isLate(ms: number): boolean {
  return ms > 30_000;
}
