// How two plans of a flow differ.
import { kindName, parents, type Plan, type PlanNode } from "../../plan/spec";

export interface Difference {
  added: string[];
  gone: string[];
  /** Nodes that both have, and what about them is other. */
  changed: { node: string; what: string[] }[];
}

export function difference(before: Plan, after: Plan): Difference {
  const old = new Map(before.nodes.map((node) => [node.name, node]));
  const now = new Map(after.nodes.map((node) => [node.name, node]));
  const changed = after.nodes.flatMap((node) => {
    const was = old.get(node.name);
    const what = was ? changes(was, node) : [];
    return what.length > 0 ? [{ node: node.name, what }] : [];
  });
  return {
    added: [...now.keys()].filter((name) => !old.has(name)),
    gone: [...old.keys()].filter((name) => !now.has(name)),
    changed,
  };
}

const told = new Set(["name", "kind", "inputs"]);

function changes(was: PlanNode, is: PlanNode): string[] {
  const what: string[] = [];
  if (kindName(was.kind) !== kindName(is.kind)) what.push(`kind: ${kindName(was.kind)} → ${kindName(is.kind)}`);
  else if (JSON.stringify(was.kind) !== JSON.stringify(is.kind)) what.push("what is inside");
  if (parents(was).join() !== parents(is).join()) what.push(`waits for ${parents(is).join(", ") || "nothing"}, no longer for ${parents(was).join(", ") || "nothing"}`);
  else if (JSON.stringify(was.inputs) !== JSON.stringify(is.inputs)) what.push("which values flow in");
  const all = new Set([...Object.keys(was), ...Object.keys(is)].filter((key) => !told.has(key)));
  const value = (node: PlanNode, key: string) => JSON.stringify((node as unknown as Record<string, unknown>)[key]);
  for (const key of [...all].sort()) if (value(was, key) !== value(is, key)) what.push(`${key}: ${value(was, key) ?? "none"} → ${value(is, key) ?? "none"}`);
  return what;
}
