// What is drawn of a plan. Arms of branches and basins are drawn where they stand, as long as there are not too many of
// them; what a foreach does with each item is one node, however many items there are.
import { childScope, inScope } from "../plan/scope";
import { kindName, type KindName, type Plan, type PlanNode } from "../plan/spec";

export interface DrawnNode {
  /** Its whole name: `outer[key]/node`. */
  id: string;
  scope: string;
  node: PlanNode;
  kind: KindName;
}

export interface DrawnEdge {
  id: string;
  from: string;
  to: string;
  /** It only orders, and hands on no value. */
  isOrder: boolean;
  /** The key of the arm that begins with it. */
  arm?: string;
}

export interface Drawn {
  nodes: DrawnNode[];
  edges: DrawnEdge[];
  /** The scopes that are drawn besides the outermost. */
  scopes: { scope: string; owner: string; key: string | null }[];
}

/** More nodes than this, and what branches open is left inside them. */
const MOST_UNFOLDED = 400;

/** The plan of a scope as a graph. */
export function draw(plan: Plan, scope = ""): Drawn {
  const drawn: Drawn = { nodes: [], edges: [], scopes: [] };
  const unfold = size(plan) <= MOST_UNFOLDED;
  place(plan, scope, unfold, drawn);
  return drawn;
}

function size(plan: Plan): number {
  return plan.nodes.reduce((sum, node) => sum + 1 + inside(node, "").reduce((all, { body }) => all + size(body), 0), 0);
}

interface Inside {
  body: Plan;
  scope: string;
  key: string | null;
}

/** What a node opens that is drawn where it stands. */
function inside({ kind, name }: PlanNode, scope: string): Inside[] {
  if (typeof kind === "string") return [];
  if ("branch" in kind) return kind.branch.cases.map(({ key, body }) => ({ body, key, scope: childScope(scope, name, key) }));
  if ("basin" in kind) return [{ body: kind.basin.body, key: null, scope: childScope(scope, name, null) }];
  return [];
}

/** Places the nodes of a plan; gives where it begins, and for each node from where what follows it is reached. */
function place(plan: Plan, scope: string, unfold: boolean, into: Drawn): { starts: string[]; ends: string[] } {
  const exits = new Map<string, string[]>();
  for (const node of plan.nodes) {
    const id = inScope(scope, node.name);
    into.nodes.push({ id, scope, node, kind: kindName(node.kind) });
    const bodies = unfold ? inside(node, scope) : [];
    const ends = bodies.flatMap((of) => {
      const body = place(of.body, of.scope, unfold, into);
      into.scopes.push({ scope: of.scope, owner: id, key: of.key });
      for (const start of body.starts) link(into, id, start, false, of.key ?? undefined);
      return body.ends;
    });
    exits.set(node.name, ends.length > 0 ? ends : [id]);
  }
  const starts: string[] = [];
  const followed = new Set<string>();
  for (const node of plan.nodes) {
    const id = inScope(scope, node.name);
    const before = (node.inputs ?? []).flatMap(({ from, order_only }) => (from === "input" ? [] : [{ name: from.node, isOrder: order_only === true }]));
    if (before.length === 0) starts.push(id);
    for (const { name, isOrder } of before) {
      followed.add(name);
      for (const exit of exits.get(name) ?? []) link(into, exit, id, isOrder);
    }
  }
  const ends = plan.nodes.filter(({ name }) => !followed.has(name)).flatMap(({ name }) => exits.get(name) ?? []);
  return { starts, ends };
}

/** Two nodes may hang together more than once; one line is drawn, and a value says more than an order. */
function link(into: Drawn, from: string, to: string, isOrder: boolean, arm?: string): void {
  const id = `${from}→${to}`;
  into.edges.push({ id, from, to, isOrder, ...(arm === undefined ? {} : { arm }) });
}

/** Each pair of nodes once. */
export function simple(edges: readonly DrawnEdge[]): DrawnEdge[] {
  const known = new Map<string, DrawnEdge>();
  for (const edge of edges) {
    const before = known.get(edge.id);
    if (!before || (before.isOrder && !edge.isOrder)) known.set(edge.id, edge);
  }
  return [...known.values()];
}
