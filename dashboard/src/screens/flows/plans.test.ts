import { expect, test } from "vitest";
import type { Plan, PlanNode } from "../../plan/spec";
import { difference } from "./plans";

const node = (name: string, more: Partial<PlanNode> = {}): PlanNode => ({ name, kind: "task", ...more });
const plan = (...nodes: PlanNode[]): Plan => ({ flow: "f", nodes });
const from = (name: string) => [{ from: { node: name } }];

test("plans that are alike do not differ", () => {
  const same = plan(node("a"), node("b", { inputs: from("a") }));
  expect(difference(same, structuredClone(same))).toEqual({ added: [], gone: [], changed: [] });
});

test("what came, what went, and what is other", () => {
  const before = plan(node("a"), node("b", { inputs: from("a") }), node("c", { timeout_ms: 5 }));
  const after = plan(node("a", { kind: { signal: { name: "go" } } }), node("b", { inputs: from("d") }), node("d"));
  expect(difference(before, after)).toEqual({
    added: ["d"],
    gone: ["c"],
    changed: [{ node: "a", what: ["kind: task → signal"] }, { node: "b", what: ["waits for d, no longer for a"] }],
  });
});

test("options and insides", () => {
  const body = (inner: string) => ({ for_each: { body: plan(node(inner)) } });
  const before = plan(node("a", { timeout_ms: 5 }), node("b", { kind: body("x") }));
  const after = plan(node("a", { timeout_ms: 9, undo: {} }), node("b", { kind: body("y") }));
  expect(difference(before, after).changed).toEqual([
    { node: "a", what: ["timeout_ms: 5 → 9", "undo: none → {}"] },
    { node: "b", what: ["what is inside"] },
  ]);
});
