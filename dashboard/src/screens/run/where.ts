// Where a run failed.
import type { AttentionItem, RunRow } from "../../api/types";
import { childScope, inScope } from "../../plan/scope";

/** The whole name of the node that a run failed at, from what the failure says: `each: [7] resize: no JPEG`. */
export function failedAt(failure: RunRow["failure"]): string | null {
  if (!failure?.node) return null;
  let scope = "";
  let node = failure.node;
  let text = failure.text;
  for (;;) {
    const inner = /^\[([^\]]*)\] ([\w.:-]+): ([^]*)$/.exec(text);
    if (!inner) return inScope(scope, node);
    const [, key = "", next = "", rest = ""] = inner;
    scope = childScope(scope, node, key === "" ? null : key);
    node = next;
    text = rest;
  }
}

/** The node that a run is opened on: where it failed, or where it waits for a person. */
export function opensOn(run: RunRow, waits: readonly AttentionItem[]): string | null {
  if (run.status === "failed") return failedAt(run.failure);
  return waits[0]?.at ?? null;
}

/** What of a failure belongs to its own node: without the way to it. */
export function ownWords(text: string): string {
  return text.replace(/^(\[[^\]]*\] [\w.:-]+: )+/, "");
}
