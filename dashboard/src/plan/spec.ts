// A flow's plan as it is stored: the parts of it that the page shows. See `PlanSpec` in vastflow-core.

export interface Plan {
  flow: string;
  nodes: PlanNode[];
  outputs?: string[];
  timeout_ms?: number;
  on_failure?: unknown;
  finally?: unknown;
}

export interface PlanNode {
  name: string;
  kind: PlanKind;
  code?: string;
  /** It starts a run of this flow and waits for its end. */
  child?: string;
  takes?: unknown;
  gives?: unknown;
  inputs?: PlanEdge[];
  retry?: { retries?: number; interval_ms?: number };
  attempt_timeout_ms?: number;
  timeout_ms?: number;
  rescue?: boolean;
  undo?: unknown;
  isolated?: boolean;
  on_exhausted?: string;
  lane?: string;
}

export interface PlanEdge {
  from: "input" | { node: string };
  order_only?: boolean;
}

export type PlanKind =
  | "task"
  | "gate"
  | { river: { poll?: unknown } }
  | { branch: { cases: { key: string; body: Plan }[] } }
  | { for_each: { body: Plan; window?: number } }
  | { basin: { body: Plan } }
  | { signal: { name: string } }
  | { sleep: { duration_ms: number } };

export type KindName = "task" | "gate" | "river" | "branch" | "for_each" | "basin" | "signal" | "sleep";

export function kindName(kind: PlanKind): KindName {
  return typeof kind === "string" ? kind : (Object.keys(kind)[0] as KindName);
}

/** The kind in words. */
export const KIND_SAYS: Record<KindName, string> = {
  task: "task", gate: "gate", river: "river", branch: "branch", for_each: "for each", basin: "basin", signal: "signal", sleep: "sleep",
};

/** A plan from an answer, or null when it is not one that this page knows how to draw. */
export function asPlan(answer: unknown): Plan | null {
  const plan = answer as Partial<Plan> | null;
  return typeof plan === "object" && plan !== null && Array.isArray(plan.nodes) ? (plan as Plan) : null;
}

/** The names of the nodes that a node waits for. */
export function parents(node: PlanNode): string[] {
  return (node.inputs ?? []).flatMap(({ from }) => (from === "input" ? [] : [from.node]));
}
