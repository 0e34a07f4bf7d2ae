// What is drawn of each node on the line: when its code ran, and what it waited for in between.
import type { NodeView, RunView } from "../../../api/types";
import { inScope, splitAt } from "../../../plan/scope";
import type { Span } from "./scale";

/** `call`: its code ran. `poll`: it was asked once. `wait`: back-off, a sleep, a signal, a queue. `open`: what it opened ran. */
export interface Bar extends Span {
  kind: "call" | "poll" | "wait" | "open" | "undo";
  tone: "ok" | "bad" | "run" | "wait" | "warn" | "idle" | "undo";
  says: string;
}

export interface Row {
  id: string;
  name: string;
  depth: number;
  status: string;
  from: number | null;
  bars: Bar[];
}

const OPEN = new Set(["open"]);
const QUIET = new Set(["polling", "sleeping", "listening", "parked", "held", "retrying", "ready", "no code", "rescuing"]);

export function rowsOf(views: ReadonlyMap<string, RunView>, now: number): Row[] {
  const rows = [...views].flatMap(([scope, view]) => {
    const depth = scope === "" ? 0 : scope.split("/").length;
    const nodes = scope === "" ? [...view.nodes, ...(view.hooks ?? [])] : view.nodes;
    return nodes.map((node) => rowOf(node, scope, depth, now));
  });
  return nested(rows);
}

/** In the order in which they began, what a node opened right below it; what never began stands at the end. */
function nested(rows: readonly Row[]): Row[] {
  const inner = new Map<string, Row[]>();
  for (const row of rows) {
    const owner = splitAt(row.id).scope.replace(/\[[^\]]*\]$/, "");
    const group = inner.get(owner);
    if (group) group.push(row);
    else inner.set(owner, [row]);
  }
  const below = (owner: string): Row[] =>
    (inner.get(owner) ?? []).sort((a, b) => (a.from ?? Infinity) - (b.from ?? Infinity)).flatMap((row) => [row, ...below(row.id)]);
  return below("");
}

function rowOf(node: NodeView, scope: string, depth: number, now: number): Row {
  return { id: inScope(scope, node.name), name: node.name, depth, status: node.status, from: node.began_at_ms ?? null, bars: [...phases(node, now), ...calls(node)] };
}

function phases(node: NodeView, now: number): Bar[] {
  return (node.phases ?? []).flatMap((phase): Bar[] => {
    const span = { from: phase.since_ms, to: phase.until_ms ?? now };
    const goesOn = phase.until_ms == null;
    if (OPEN.has(phase.status)) return [{ ...span, kind: "open", tone: goesOn ? "run" : "ok", says: "what it opened ran" }];
    if (QUIET.has(phase.status)) return [{ ...span, kind: "wait", tone: "wait", says: phase.status }];
    // A call that ended is told of by itself; one that goes on is not yet.
    return goesOn ? [{ ...span, kind: "call", tone: "run", says: "running" }] : [{ ...span, kind: "wait", tone: "idle", says: "queued" }];
  });
}

function calls(node: NodeView): Bar[] {
  return (node.attempts ?? []).map((call): Bar => {
    const span = { from: call.ended_at_ms - call.took_us / 1000, to: call.ended_at_ms };
    const says = `${call.kind} ${call.number}${call.why ? `: ${call.why}` : ""}`;
    if (call.kind === "undo") return { ...span, kind: "undo", tone: "undo", says };
    if (call.kind === "poll") return { ...span, kind: "poll", tone: call.failed ? "bad" : call.why != null ? "wait" : "ok", says };
    return { ...span, kind: "call", tone: call.failed ? "bad" : "ok", says };
  });
}

/** When something was done, as against waited for. */
export function busySpans(rows: readonly Row[]): Span[] {
  return rows.flatMap(({ bars }) => bars.filter(({ kind }) => kind === "call" || kind === "poll" || kind === "undo").map(({ from, to }) => ({ from, to })));
}
