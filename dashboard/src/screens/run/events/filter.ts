// Which events of a journal are shown.
import type { EventRow } from "../../../api/types";

export type Kind = "all" | "wrong" | "calls" | "inside" | "people";

export const KINDS: readonly { kind: Kind; label: string }[] = [
  { kind: "all", label: "All" },
  { kind: "wrong", label: "What went wrong" },
  { kind: "calls", label: "Calls" },
  { kind: "inside", label: "Items and arms" },
  { kind: "people", label: "People and signals" },
];

const PEOPLE = new Set(["CancelRequested", "Paused", "Resumed", "Killed", "Resolved", "SignalReceived", "SignalPassed"]);
const INSIDE = new Set(["BranchChosen", "ItemsAdded", "ChildEnded", "ChildUndone", "ChildParked", "ChildListens", "Reduced", "ReduceFailed"]);

function isWrong({ kind, text }: EventRow): boolean {
  return /Failed$|TimedOut|Parked|Killed|Clashed/.test(kind) || text.startsWith("✗") || (kind === "RunEnded" && text.includes("failed"));
}

function is(event: EventRow, kind: Kind): boolean {
  switch (kind) {
    case "all": return true;
    case "wrong": return isWrong(event);
    case "calls": return event.took_us !== null && event.took_us !== undefined;
    case "inside": return INSIDE.has(event.kind);
    case "people": return PEOPLE.has(event.kind);
  }
}

/** The events of a kind that have all of the words, in their text or their kind. */
export function filtered(events: readonly EventRow[], kind: Kind, words: string): readonly EventRow[] {
  const wanted = words.toLowerCase().split(/\s+/).filter(Boolean);
  if (kind === "all" && wanted.length === 0) return events;
  return events.filter((event) => {
    const text = `${event.text} ${event.kind}`.toLowerCase();
    return is(event, kind) && wanted.every((word) => text.includes(word));
  });
}

export function asKind(text: string | null): Kind {
  return KINDS.find(({ kind }) => kind === text)?.kind ?? "all";
}

/** What kind of thing happened, as a colour. The first sign of the text says it, too. */
export function tone(event: EventRow): string {
  if (event.kind === "AttemptFailed" || event.kind === "NodeParked") return "warn";
  if (isWrong(event)) return "bad";
  if (/Undo/.test(event.kind)) return "undo";
  if (/Succeeded|ChildEnded|HookDone|Woke/.test(event.kind) || (event.kind === "RunEnded" && event.text.includes("succeeded"))) return "ok";
  if (PEOPLE.has(event.kind)) return "wait";
  return event.kind === "Polled" ? "wait" : "run";
}
