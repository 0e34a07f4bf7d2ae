import { splitAt } from "../../../plan/scope";
import type { Plan, PlanNode } from "../../../plan/spec";

/** What the plan says of a node, however deep it stands: `each[7]/try/pay`. */
export function specAt(plan: Plan, at: string): PlanNode | null {
  const { scope, node } = splitAt(at);
  let body: Plan | undefined = plan;
  for (const part of scope === "" ? [] : scope.split("/")) {
    const [, name = part, key] = /^([^[]*)(?:\[(.*)\])?$/.exec(part) ?? [];
    body = bodyOf(body?.nodes.find((one) => one.name === name), key);
  }
  return body?.nodes.find((one) => one.name === node) ?? null;
}

function bodyOf(node: PlanNode | undefined, key: string | undefined): Plan | undefined {
  const kind = node?.kind;
  if (typeof kind !== "object") return undefined;
  if ("for_each" in kind) return kind.for_each.body;
  if ("basin" in kind) return kind.basin.body;
  return "branch" in kind ? kind.branch.cases.find((one) => one.key === key)?.body : undefined;
}
