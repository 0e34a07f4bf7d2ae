import { expect, test } from "vitest";
import type { EventRow } from "../../../api/types";
import { asKind, filtered, tone } from "./filter";

const events: EventRow[] = [
  { seq: 0, at_ms: 0, kind: "RunStarted", text: "▸ order started" },
  { seq: 1, at_ms: 1, kind: "AttemptFailed", node: "pay", text: "↻ pay failed, will be tried again: busy", took_us: 3 },
  { seq: 2, at_ms: 2, kind: "ChildEnded", node: "each", text: "✗ each[7] failed: no JPEG" },
  { seq: 3, at_ms: 3, kind: "ChildEnded", node: "each", text: "✓ each[8]" },
  { seq: 4, at_ms: 4, kind: "Paused", text: "‖ ann paused it: deploy" },
  { seq: 5, at_ms: 5, kind: "RunEnded", text: "● failed: each" },
];
const seqs = (of: readonly EventRow[]) => of.map(({ seq }) => seq);

test("kinds", () => {
  expect(seqs(filtered(events, "wrong", ""))).toEqual([1, 2, 5]);
  expect(seqs(filtered(events, "calls", ""))).toEqual([1]);
  expect(seqs(filtered(events, "inside", ""))).toEqual([2, 3]);
  expect(seqs(filtered(events, "people", ""))).toEqual([4]);
  expect(filtered(events, "all", " ")).toBe(events);
});

test("all words must be there, in any order", () => {
  expect(seqs(filtered(events, "all", "JPEG each"))).toEqual([2]);
  expect(seqs(filtered(events, "all", "childended"))).toEqual([2, 3]);
});

test("tones", () => {
  expect(events.map(tone)).toEqual(["run", "warn", "bad", "ok", "wait", "bad"]);
  expect(asKind("calls")).toBe("calls");
  expect(asKind("nonsense")).toBe("all");
});
