// The words of the API under names of their own. All of them come from the OpenAPI document.
import type { components } from "./schema";

type Schemas = components["schemas"];

export type RunStatus = Schemas["Status"];
export type RunRow = Schemas["RunRow"];
export type RunView = Schemas["RunView"];
export type NodeView = Schemas["NodeView"];
export type CallView = Schemas["CallView"];
export type Phase = Schemas["Phase"];
export type Inner = Schemas["Inner"];
export type EventRow = Schemas["EventRow"];
export type RunLogs = Schemas["RunLogs"];
export type FlowRow = Schemas["FlowRow"];
export type FlowView = Schemas["FlowView"];
export type FlowStats = Schemas["FlowStats"];
export type QueueRow = Schemas["QueueRow"];
export type WorkerRow = Schemas["WorkerRow"];
export type Workers = Schemas["Workers"];
export type AttentionItem = Schemas["AttentionItem"];
export type AuditRow = Schemas["AuditRow"];
export type Counts = Schemas["Counts"];
export type Me = Schemas["Me"];
export type Right = Schemas["Scope"];
export type Problem = Schemas["Problem"];
export type Bulk = Schemas["Bulk"];
export type BulkAction = Schemas["Action"];
export type BulkDone = Schemas["BulkDone"];
export type Filter = Schemas["Filter"];
export type ForkRun = Schemas["ForkRun"];
export type StartRun = Schemas["StartRun"];
export type Resolve = Schemas["Resolve"];
export type RunChanged = Schemas["RunChanged"];
export type TokenRow = Schemas["TokenRow"];
export type NewToken = Schemas["NewToken"];
export type MadeToken = Schemas["MadeToken"];
export type Accepted = Schemas["Accepted"];
export type Grid = Schemas["Grid"];
export type Figures = Schemas["Figures"];
export type ContextRow = Schemas["ContextRow"];
export type ScopeRow = Schemas["ScopeRow"];
export type Health = Schemas["Health"];

/** A page of a list: `next` is what to give to get the page behind it. */
export interface Page<T> {
  items: T[];
  next?: string | null;
  /** Whether not all was looked at that belongs on it. */
  partial?: boolean;
}

/** The statuses of runs, in the order in which they are shown. */
export const RUN_STATUSES: readonly RunStatus[] = [
  "running", "queued", "paused", "stopping", "needs-attention", "failed", "succeeded", "stopped",
];

/** Whether nothing will happen with such a run any more. */
export function isOver(status: RunStatus): boolean {
  return status === "succeeded" || status === "failed" || status === "stopped";
}
