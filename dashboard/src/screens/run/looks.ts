// A view of a run, as its graph shows it.
import type { Inner, NodeView, RunView } from "../../api/types";
import type { Drawn, DrawnNode } from "../../graph/model";
import type { NodeLook } from "../../graph/looks";
import { duration, whole } from "../../time/format";
import type { NodeThen } from "./fold";
import type { Tally } from "./log";

/** The scopes whose views the graph needs: those that were opened, of what is drawn inside others. */
export function openedScopes(drawn: Drawn, views: ReadonlyMap<string, RunView>): string[] {
  return drawn.scopes.flatMap(({ scope, owner, key }) => {
    const node = nodeIn(views, owner);
    if (!node) return [];
    const isOpened = key === null ? node.status !== "waiting" : node.inner?.keys?.includes(key) === true;
    return isOpened ? [scope] : [];
  });
}

function nodeIn(views: ReadonlyMap<string, RunView>, id: string): NodeView | undefined {
  const cut = id.lastIndexOf("/");
  const [scope, name] = cut < 0 ? ["", id] : [id.slice(0, cut), id.slice(cut + 1)];
  return views.get(scope)?.nodes.find((node) => node.name === name);
}

/** How the nodes stand. `tally` may know of more items that ended than the views, which are asked for less often. */
export function looksOf(drawn: Drawn, views: ReadonlyMap<string, RunView>, tally: ReadonlyMap<string, Tally> = new Map()): Map<string, NodeLook> {
  const byScope = new Map([...views].map(([scope, view]) => [scope, new Map(view.nodes.map((node) => [node.name, node]))]));
  const untaken = untakenScopes(drawn, (id) => nodeIn(views, id));
  const lookOf = (of: DrawnNode): NodeLook => {
    const node = byScope.get(of.scope)?.get(of.node.name);
    if (node) return look(of.scope === "" ? withTally(node, tally.get(node.name)) : node);
    return untaken.has(of.scope) ? { status: "skipped", line: "not taken", isFaded: true } : { status: "waiting", line: "", isFaded: false };
  };
  return new Map(drawn.nodes.map((node) => [node.id, lookOf(node)]));
}

/** The scopes of arms that were not taken, and all within them. */
function untakenScopes(drawn: Drawn, find: (id: string) => { status: string; is_final?: boolean; inner?: Inner | null } | undefined): Set<string> {
  const untaken = new Set<string>();
  // Owners come behind what they own in this list: innermost first.
  for (const { scope, owner, key } of [...drawn.scopes].reverse()) {
    const outer = owner.lastIndexOf("/") < 0 ? "" : owner.slice(0, owner.lastIndexOf("/"));
    const node = find(owner);
    const isChosen = node !== undefined && (node.is_final === true || node.inner !== undefined && node.inner !== null);
    const isTaken = key === null ? node?.status !== "skipped" : node?.inner?.keys?.includes(key) === true;
    if (untaken.has(outer) || (isChosen && !isTaken)) untaken.add(scope);
  }
  return untaken;
}

function withTally(node: NodeView, tally: Tally | undefined): NodeView {
  const { inner } = node;
  if (!inner || !tally || tally.ended <= inner.ended) return node;
  return { ...node, inner: { ...inner, ...tally, scopes: Math.max(inner.scopes, tally.ended) } };
}

const FADED = new Set(["skipped", "dropped"]);

function look(node: NodeView): NodeLook {
  const { inner } = node;
  const isMany = inner && (inner.keys?.length ?? 0) === 0 && inner.scopes > 0;
  return {
    status: node.status,
    line: lineOf(node),
    isFaded: FADED.has(node.status),
    ...(isMany ? { many: { all: inner.scopes, ended: inner.ended, failed: inner.failed } } : {}),
  };
}

/** `× 10,000 (3 failed)`, or the arms that were taken. */
export function innerLine(inner: Inner): string {
  const failed = inner.failed > 0 ? ` (${whole(inner.failed)} failed)` : "";
  if (inner.keys && inner.keys.length > 0) return `→ ${inner.keys.join(", ")}${failed}`;
  const ended = inner.ended < inner.scopes ? `${whole(inner.ended)} of ` : "× ";
  return `${ended}${whole(inner.scopes)}${failed}`;
}

function lineOf(node: NodeView): string {
  const took = node.began_at_ms != null && node.ended_at_ms != null ? duration(node.ended_at_ms - node.began_at_ms) : "";
  switch (node.status) {
    case "retrying": return `attempt ${node.calls + 1} · ${node.said ?? ""}`;
    case "polling": return `${node.attempts?.filter(({ kind }) => kind === "poll").length ?? 0} polls · ${node.said ?? ""}`;
    case "listening": return node.waits_for ?? "waits for a signal";
    case "parked": return "waits for an operator";
    case "failed": return node.said ?? (node.inner ? innerLine(node.inner) : "failed");
    case "undone": return "taken back";
    case "succeeded": {
      const often = node.calls > 1 && !node.inner ? ` · ${node.calls} calls` : "";
      return node.inner ? `${innerLine(node.inner)} · ${took}` : `${took || "done"}${often}`;
    }
    default: return node.inner ? innerLine(node.inner) : node.status === "waiting" ? "" : node.status;
  }
}

/** The same from what was folded up to an event. What is inside of others has a journal of its own: of it only the ends are known. */
export function looksThen(drawn: Drawn, nodes: ReadonlyMap<string, NodeThen>, views: ReadonlyMap<string, RunView>): Map<string, NodeLook> {
  const now = looksOf(drawn, views);
  const owners = new Map(drawn.scopes.map(({ scope, owner, key }) => [scope, { owner, key }]));
  const lookOf = (of: DrawnNode): NodeLook => {
    const then = nodes.get(of.node.name);
    if (of.scope === "" && then) return lookThen(of, then);
    const outermost = outermostOf(of.scope, owners);
    const arm = outermost === null ? undefined : armThen(nodes.get(outermost.owner), outermost.key);
    if (arm === "over") return now.get(of.id) ?? PLAIN;
    if (arm === "open") return { status: "open", line: "under way", isFaded: false };
    return arm === "other" ? { status: "skipped", line: "not taken", isFaded: true } : PLAIN;
  };
  return new Map(drawn.nodes.map((node) => [node.id, lookOf(node)]));
}

const PLAIN: NodeLook = { status: "waiting", line: "", isFaded: false };

function lookThen(of: DrawnNode, then: NodeThen): NodeLook {
  const many = then.many && of.kind === "for_each" ? { many: then.many } : {};
  const counted = then.many && of.kind === "for_each" ? innerLine({ scopes: then.many.all, ...then.many }) : then.status === "waiting" ? "" : then.status;
  return { status: then.status, line: then.said || counted, isFaded: FADED.has(then.status), ...many };
}

interface Owner {
  owner: string;
  key: string | null;
}

/** The scope of the run's own graph that a scope lies in. */
function outermostOf(scope: string, owners: ReadonlyMap<string, Owner>): Owner | null {
  let found = owners.get(scope) ?? null;
  while (found !== null && found.owner.includes("/")) found = owners.get(found.owner.slice(0, found.owner.lastIndexOf("/"))) ?? null;
  return found;
}

function armThen(owner: NodeThen | undefined, key: string | null): "before" | "open" | "over" | "other" {
  if (!owner || owner.status === "waiting" || owner.status === "running") return "before";
  if (key === null) return owner.status === "open" ? "open" : "over";
  const isOver = owner.arms?.get(key);
  return isOver === undefined ? "other" : isOver ? "over" : "open";
}

/** The nodes whose effects were taken back, in the order in which they were. */
export function undoneOf(views: ReadonlyMap<string, RunView>): string[] {
  const undone = [...views].flatMap(([scope, view]) =>
    view.nodes.filter(({ status }) => status === "undone").map((node) => ({ id: scope === "" ? node.name : `${scope}/${node.name}`, at: node.ended_at_ms ?? 0 })),
  );
  return undone.sort((a, b) => a.at - b.at).map(({ id }) => id);
}
