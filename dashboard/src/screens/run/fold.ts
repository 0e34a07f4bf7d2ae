// A run as it stood at one of its events: states of its nodes, folded from the journal on this side. It says less than the
// service's own view (no times, no calls), and costs the service nothing.
import type { EventRow } from "../../api/types";
import { escapeKey } from "../../plan/scope";
import { kindName, type Plan, type PlanNode } from "../../plan/spec";

export interface NodeThen {
  status: string;
  /** What its last failed or unfinished call said. */
  said: string;
  many?: { all: number; ended: number; failed: number };
  /** Of a branch: the arms that were taken, and whether they are over. */
  arms?: Map<string, boolean>;
}

const OVER = new Set(["succeeded", "failed", "skipped", "dropped", "undone"]);

/** What an event says of its node, where that is the same whatever came before. */
const NEXT: Record<string, string> = {
  NodeSucceeded: "succeeded", AttemptFailed: "retrying", RescueFailed: "failed", Submitted: "polling", Polled: "polling",
  NodeDropped: "dropped", NodeParked: "parked", BranchChosen: "open", ItemsAdded: "open", Woke: "succeeded", Undone: "undone",
};

/**
 * The nodes after the event at place `upTo`. `ends` is where each node came to in the end: of a node that has no event of
 * its own (a branch that is over, a node that was skipped) the journal says it only in passing.
 */
export function foldTo(plan: Plan, events: readonly EventRow[], upTo: number, ends: ReadonlyMap<string, string>): Map<string, NodeThen> {
  const fold = new Fold(plan, ends);
  for (const event of events) {
    if (event.seq > upTo) break;
    fold.take(event);
  }
  return fold.nodes;
}

class Fold {
  readonly nodes: Map<string, NodeThen>;
  readonly #specs: Map<string, PlanNode>;
  readonly #children = new Map<string, string[]>();
  readonly #ends: ReadonlyMap<string, string>;

  constructor(plan: Plan, ends: ReadonlyMap<string, string>) {
    this.#ends = ends;
    this.#specs = new Map(plan.nodes.map((node) => [node.name, node]));
    this.nodes = new Map(plan.nodes.map(({ name }) => [name, { status: "waiting", said: "" }]));
    for (const node of plan.nodes) {
      for (const before of this.#before(node)) {
        const list = this.#children.get(before) ?? [];
        list.push(node.name);
        this.#children.set(before, list);
      }
    }
  }

  take(event: EventRow): void {
    if (event.kind === "RunStarted") this.nodes.forEach((_, name) => { this.#begin(name); });
    else if (event.kind === "RunEnded") this.#end();
    else if (event.kind === "SignalReceived") this.#signal(event.text);
    else if (event.node && event.kind !== "Said") this.#node(event.node, event);
  }

  #node(name: string, event: EventRow): void {
    const node = this.nodes.get(name);
    if (!node) return;
    node.said = said(event) ?? "";
    if (event.kind === "ItemsAdded") node.many = { ended: 0, failed: 0, ...node.many, all: (node.many?.all ?? 0) + items(event.text) };
    if (event.kind === "BranchChosen") {
      node.arms = new Map(arms(event.text).map((key) => [key, false]));
      node.many = { all: node.arms.size, ended: 0, failed: 0 };
    }
    if (event.kind === "ChildEnded") this.#childEnded(name, node, event.text);
    else if (event.kind === "NodeFailed") this.#set(name, this.#specs.get(name)?.rescue ? "rescuing" : "failed");
    else if (event.kind === "Resolved") this.#set(name, resolved(event.text));
    else this.#set(name, NEXT[event.kind] ?? node.status);
    if (event.kind === "BranchChosen" && node.many?.all === 0) this.#set(name, this.#ends.get(name) ?? "succeeded");
  }

  #childEnded(name: string, node: NodeThen, text: string): void {
    const isFailed = text.startsWith("✗");
    for (const key of node.arms?.keys() ?? []) if (text.slice(2).startsWith(`${name}[${escapeKey(key)}]`)) node.arms?.set(key, true);
    const many = node.many ?? { all: 1, ended: 0, failed: 0 };
    node.many = { all: Math.max(many.all, many.ended + 1), ended: many.ended + 1, failed: many.failed + (isFailed ? 1 : 0) };
    // A basin and a branch that ended go on at once; a foreach may still fold what its items gave.
    if (node.many.ended >= node.many.all) this.#set(name, this.#endOf(name, "succeeded"));
  }

  /** Where a node that is over came to: an undone one had succeeded before. */
  #endOf(name: string, unless: string): string {
    const end = this.#ends.get(name);
    if (end === undefined || !OVER.has(end)) return unless;
    return end === "undone" ? "succeeded" : end;
  }

  #set(name: string, status: string): void {
    const node = this.nodes.get(name);
    if (!node || node.status === status) return;
    node.status = status;
    if (OVER.has(status)) this.#children.get(name)?.forEach((child) => { this.#begin(child); });
  }

  /** A node whose turn has come. */
  #begin(name: string): void {
    const spec = this.#specs.get(name);
    const node = this.nodes.get(name);
    if (!spec || node?.status !== "waiting") return;
    const before = this.#before(spec).map((other) => this.nodes.get(other)?.status ?? "waiting");
    if (!before.every((status) => OVER.has(status))) return;
    const isDue = before.every((status) => status === "succeeded" || status === "skipped" || status === "undone");
    const end = this.#ends.get(name);
    if (end === "skipped") this.#set(name, end);
    else if (isDue || end === "succeeded") this.#set(name, this.#first(name, spec));
  }

  #first(name: string, spec: PlanNode): string {
    switch (kindName(spec.kind)) {
      case "gate": return this.#endOf(name, "succeeded");
      case "signal": return "listening";
      case "sleep": return "sleeping";
      case "basin": return "open";
      default: return "running";
    }
  }

  #signal(text: string): void {
    const word = text.replace(/^» signal /, "");
    for (const [name, node] of this.nodes) {
      const kind = this.#specs.get(name)?.kind;
      if (node.status === "listening" && typeof kind === "object" && "signal" in kind && kind.signal.name === word) {
        this.#set(name, "succeeded");
        return;
      }
    }
  }

  #end(): void {
    for (const [name, node] of this.nodes) {
      if (!OVER.has(node.status)) node.status = this.#ends.get(name) ?? node.status;
    }
  }

  #before({ inputs }: PlanNode): string[] {
    return (inputs ?? []).flatMap(({ from }) => (from === "input" ? [] : [from.node]));
  }
}

/** What a call said, from the line that tells of it. */
function said(event: EventRow): string | null {
  if (!/Failed|Parked|Polled/.test(event.kind)) return null;
  const text = event.text.replace(/ {2}[\d.]+ (µs|ms|s|min|h)$/, "");
  const at = text.indexOf(": ");
  return at < 0 ? text : text.slice(at + 2);
}

function items(text: string): number {
  return Number(/ × (\d+)/.exec(text)?.[1] ?? 0);
}

function arms(text: string): string[] {
  return / → (.*?)(?: {2}[\d.]+ \S+)?$/.exec(text)?.[1]?.split(", ") ?? [];
}

function resolved(text: string): string {
  if (text.includes("says, go on without it")) return "skipped";
  return text.includes("says, it is done") ? "succeeded" : "retrying";
}
