import { expect, test } from "vitest";
import type { Plan, PlanNode } from "../plan/spec";
import { layers } from "./layered";
import { layout, layoutFor, NODE, type Layout } from "./layout";
import { draw } from "./model";

function task(name: string, ...after: string[]): PlanNode {
  return { name, kind: "task", inputs: after.length ? after.map((node) => ({ from: { node } })) : [{ from: "input" }] };
}

function plan(...nodes: PlanNode[]): Plan {
  return { flow: "f", nodes };
}

/** A grid: each node behind one of the layer before, and some behind a second. */
function grid(count: number, wide: number): Plan {
  return plan(...Array.from({ length: count }, (_, n) => {
    const before = [n - wide, ...(n % 3 === 0 ? [n - wide - 1] : [])].filter((at) => at >= 0);
    return task(`n${n}`, ...before.map((at) => `n${at}`));
  }));
}

function overlaps({ nodes }: Layout): number {
  const taken = new Set(nodes.map(({ x, y }) => `${Math.round(x)},${Math.round(y)}`));
  return nodes.length - taken.size;
}

test("each node lies behind those that it waits for", () => {
  for (const of of [grid(60, 6), grid(800, 20)]) {
    const { edges, byId } = layout(draw(of), "right");
    for (const { from, to } of edges) expect((byId.get(from)?.x ?? 0) + NODE.width).toBeLessThan(byId.get(to)?.x ?? 0);
  }
});

test("no two nodes lie in one place, and nothing lies outside", () => {
  for (const way of ["right", "down"] as const) {
    const found = layout(draw(grid(800, 20)), way);
    expect(overlaps(found)).toBe(0);
    expect(Math.min(...found.nodes.map(({ x }) => x))).toBeCloseTo(0);
    expect(Math.min(...found.nodes.map(({ y }) => y))).toBeCloseTo(0);
  }
});

test("five thousand nodes are placed while nobody notices", () => {
  const drawn = draw(grid(5000, 100));
  const before = performance.now();
  expect(layout(drawn, "right").nodes).toHaveLength(5000);
  expect(performance.now() - before).toBeLessThan(1000);
});

test("a layer is the longest way from a start", () => {
  expect(layers(4, [[0, 1], [1, 2], [0, 2], [2, 3]])).toEqual([0, 1, 2, 3]);
});

test("the arms of a branch stand between it and what follows", () => {
  const branch: PlanNode = {
    name: "choose",
    kind: { branch: { cases: [{ key: "yes", body: plan(task("pay")) }, { key: "no", body: plan(task("refuse")) }] } },
  };
  const { nodes, edges, scopes } = draw(plan(branch, task("end", "choose")));
  expect(nodes.map(({ id }) => id)).toEqual(["choose", "choose[yes]/pay", "choose[no]/refuse", "end"]);
  expect(edges.map(({ from, to, arm }) => [from, to, arm])).toEqual([
    ["choose", "choose[yes]/pay", "yes"],
    ["choose", "choose[no]/refuse", "no"],
    ["choose[yes]/pay", "end", undefined],
    ["choose[no]/refuse", "end", undefined],
  ]);
  expect(scopes).toEqual([
    { scope: "choose[yes]", owner: "choose", key: "yes" },
    { scope: "choose[no]", owner: "choose", key: "no" },
  ]);
});

test("a foreach is one node", () => {
  const each: PlanNode = { name: "each", kind: { for_each: { body: plan(task("a"), task("b", "a")) } }, inputs: [{ from: "input" }] };
  expect(draw(plan(each)).nodes).toHaveLength(1);
});

test("a large graph runs the way in which it is drawn larger", () => {
  // Fifty chains of ten, side by side: to the right it is high, down it is wide.
  const chains = draw(plan(...Array.from({ length: 500 }, (_, n) => task(`n${n}`, ...(n < 50 ? [] : [`n${n - 50}`])))));
  expect(layoutFor(chains, { width: 360, height: 600 }).way).toBe("right");
  expect(layoutFor(chains, { width: 1_400, height: 300 }).way).toBe("down");
});
