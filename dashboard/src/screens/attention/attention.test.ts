import { expect, test } from "vitest";
import type { AttentionItem } from "../../api/types";
import { groups, keyOf, kindOf } from "./attention";

const item = (kind: string, run: string, at: string | null = null): AttentionItem =>
  ({ kind: kind as AttentionItem["kind"], flow: "f", run, at, why: "", runs: 1 });

test("what blocks a run comes before what only failed, and unknown kinds last", () => {
  const found = groups([item("failed", "a"), item("new-kind", "b"), item("operator", "c"), item("failed", "d")]);
  expect(found.map((group) => [group.kind, group.items.length])).toEqual([["operator", 1], ["failed", 2], ["new-kind", 1]]);
});

test("a kind that this page does not know is shown by its name", () => {
  expect(kindOf("new-kind")).toMatchObject({ title: "new-kind", remedies: [] });
});

test("a call that runs alone comes before what failed, and nothing need be done about it", () => {
  const found = groups([item("failed", "a"), item("suspect", "b"), item("signal", "c")]);
  expect(found.map((group) => group.kind)).toEqual(["signal", "suspect", "failed"]);
  expect(kindOf("suspect")).toMatchObject({ title: "Runs alone", remedies: [] });
});

test("two nodes of one run are two items", () => {
  expect(keyOf(item("operator", "a", "x"))).not.toBe(keyOf(item("operator", "a", "y")));
});
