import { expect, test } from "vitest";
import type { EventRow } from "../../api/types";
import { Log } from "./log";

const events = (from: number, to: number): EventRow[] =>
  Array.from({ length: to - from }, (_, at) => ({ seq: from + at, at_ms: 0, kind: "Woke", text: "" }));
const seqs = (log: Log) => log.events.map(({ seq }) => seq);

test("pages and the stream overlap, and each event is kept once", () => {
  const log = new Log("r");
  log.take(events(0, 3));
  log.take(events(1, 5));
  expect(seqs(log)).toEqual([0, 1, 2, 3, 4]);
});

test("what lies behind a gap waits for what is between", () => {
  const log = new Log("r");
  log.take(events(4, 6));
  expect(log.next).toBe(0);
  log.take(events(0, 5), true);
  expect(seqs(log)).toEqual([0, 1, 2, 3, 4]);
  expect(log.isWhole).toBe(true);
});

test("who listens is told of news only", () => {
  const log = new Log("r");
  let told = 0;
  log.subscribe(() => { told += 1; });
  log.take(events(0, 2));
  log.take(events(0, 2));
  expect(told).toBe(1);
});

test("what ended is counted as it comes, once", () => {
  const log = new Log("r");
  const ended = (seq: number, text: string): EventRow => ({ seq, at_ms: 0, kind: "ChildEnded", node: "each", text });
  const none = log.tally;
  log.take(events(0, 1));
  expect(log.tally).toBe(none);
  log.take([ended(1, "✓ each[0]"), ended(2, "✗ each[1] failed: no")]);
  log.take([ended(1, "✓ each[0]"), ended(2, "✗ each[1] failed: no"), ended(3, "✓ each[2]")]);
  expect(log.tally.get("each")).toEqual({ ended: 3, failed: 1 });
});
