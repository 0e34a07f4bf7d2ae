import { expect, test } from "vitest";
import type { EventRow } from "../../api/types";
import type { Plan, PlanNode } from "../../plan/spec";
import { foldTo } from "./fold";

function node(name: string, more: Partial<PlanNode> = {}, ...after: string[]): PlanNode {
  return { name, kind: "task", inputs: after.map((from) => ({ from: { node: from } })), ...more };
}

function journal(...lines: [kind: string, node: string | null, text: string][]): EventRow[] {
  return lines.map(([kind, name, text], seq) => ({ seq, at_ms: 1000 + seq, kind, node: name, text }));
}

function at(plan: Plan, events: EventRow[], seq: number, ends: Record<string, string> = {}): Record<string, string> {
  const nodes = foldTo(plan, events, seq, new Map(Object.entries(ends)));
  return Object.fromEntries([...nodes].map(([name, { status }]) => [name, status]));
}

const saga: Plan = { flow: "trip", nodes: [node("hotel"), node("car", {}, "hotel"), node("confirm", {}, "car")] };
const failed = journal(
  ["RunStarted", null, "▸ trip started"],
  ["NodeSucceeded", "hotel", "✓ hotel  81.3 ms"],
  ["AttemptFailed", "car", "↻ car failed, will be tried again: none left: sorry  3 ms"],
  ["NodeFailed", "car", "✗ car failed: none left  3 ms"],
  ["Undone", "hotel", "« hotel undone  1 ms"],
  ["RunEnded", null, "● failed: car: none left"],
);
const ends = { hotel: "undone", car: "failed", confirm: "dropped" };

test("a run, event by event", () => {
  const states = failed.map(({ seq }) => Object.values(at(saga, failed, seq, ends)).join(" "));
  expect(states).toEqual([
    "running waiting waiting",
    "succeeded running waiting",
    "succeeded retrying waiting",
    "succeeded failed waiting",
    "undone failed waiting",
    "undone failed dropped",
  ]);
});

test("what a call said is kept, without how long it took", () => {
  expect(foldTo(saga, failed, 2, new Map()).get("car")?.said).toBe("none left: sorry");
});

test("items are counted, and a foreach ends with the last of them", () => {
  const plan: Plan = { flow: "f", nodes: [node("each", { kind: { for_each: { body: saga } } }), node("sum", {}, "each")] };
  const events = journal(
    ["RunStarted", null, ""],
    ["ItemsAdded", "each", "▸ each × 2  1.3 ms"],
    ["ChildEnded", "each", "✓ each[1]"],
    ["ChildEnded", "each", "✗ each[0] failed: a: b"],
  );
  expect(foldTo(plan, events, 2, new Map()).get("each")).toMatchObject({ status: "open", many: { all: 2, ended: 1, failed: 0 } });
  expect(at(plan, events, 3)).toEqual({ each: "succeeded", sum: "running" });
  expect(foldTo(plan, events, 3, new Map()).get("each")?.many).toEqual({ all: 2, ended: 2, failed: 1 });
});

test("a signal is for who listens, a gate opens by itself, a sleep ends", () => {
  const plan: Plan = {
    flow: "f",
    nodes: [node("answer", { kind: { signal: { name: "yes" } } }), node("nap", { kind: { sleep: { duration_ms: 5 } } }), node("gate", { kind: "gate" }, "answer", "nap")],
  };
  const events = journal(["RunStarted", null, ""], ["SignalReceived", null, "» signal no"], ["SignalReceived", null, "» signal yes"], ["Woke", "nap", ""]);
  expect(at(plan, events, 1)).toEqual({ answer: "listening", nap: "sleeping", gate: "waiting" });
  expect(at(plan, events, 2)).toEqual({ answer: "succeeded", nap: "sleeping", gate: "waiting" });
  expect(at(plan, events, 3)).toEqual({ answer: "succeeded", nap: "succeeded", gate: "succeeded" });
});

test("a branch takes arms or none, an operator decides, and what is not needed is skipped", () => {
  const plan: Plan = { flow: "f", nodes: [node("choose", { kind: { branch: { cases: [] } } }), node("pay", {}, "choose"), node("other", {}, "pay")] };
  const events = journal(
    ["RunStarted", null, ""],
    ["BranchChosen", "choose", "▸ choose takes no arm"],
    ["NodeParked", "pay", "! pay waits for an operator: down"],
    ["Resolved", "pay", "▸ pay: ann says, go on without it: late"],
  );
  expect(at(plan, events, 1)).toMatchObject({ choose: "succeeded", pay: "running" });
  expect(at(plan, events, 2)).toMatchObject({ pay: "parked" });
  expect(at(plan, events, 3, { other: "skipped" })).toMatchObject({ pay: "skipped", other: "skipped" });
});
