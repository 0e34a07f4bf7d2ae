// What waits for a person, in words, and what can be done about it.
import type { AttentionItem } from "../../api/types";
import type { IconName } from "../../ui/icons";
import type { Tone } from "../../ui/status";

/** What can be done about something that waits, in the words of the command. */
export type Remedy = "retry" | "skip" | "done" | "signal" | "new-run";

export const remedies: Record<Remedy, { label: string; icon: IconName; says: string }> = {
  retry: { label: "Retry", icon: "retry", says: "Try the node again, with all its retries" },
  skip: { label: "Skip", icon: "skip", says: "Go on without it" },
  done: { label: "Mark done", icon: "check", says: "It was done by hand" },
  signal: { label: "Signal", icon: "signal", says: "Send what it waits for" },
  "new-run": { label: "Retry", icon: "retry", says: "A new run that keeps what succeeded" },
};

const decide: readonly Remedy[] = ["retry", "skip", "done"];

interface Kind {
  title: string;
  tone: Tone;
  sign: string;
  /** What it means, and what helps. */
  says: string;
  remedies: readonly Remedy[];
}

const kinds: Record<string, Kind> = {
  operator: {
    title: "Parked",
    tone: "warn",
    sign: "!",
    says: "A node failed for good, and its run waits for a decision: try it again, go on without it, or say that it was done by hand.",
    remedies: decide,
  },
  undo: {
    title: "Undo stuck",
    tone: "undo",
    sign: "«",
    says: "Something could not be taken back. The run goes on with its undoing when somebody decides.",
    remedies: decide,
  },
  quarantined: {
    title: "Quarantined",
    tone: "bad",
    sign: "✗",
    says: "A call killed the workers that made it, and is not made any more. Mend its code before it is tried again.",
    remedies: decide,
  },
  code: {
    title: "No code",
    tone: "warn",
    sign: "?",
    says: "No worker that is alive has the code of the plan that these runs follow. They go on by themselves when one starts.",
    remedies: [],
  },
  signal: {
    title: "No signal yet",
    tone: "wait",
    sign: "◉",
    says: "A node has waited for a signal for long.",
    remedies: ["signal"],
  },
  suspect: {
    title: "Runs alone",
    tone: "run",
    sign: "▶",
    says: "A call that was under way when its process died runs alone just now, to find out whether it is the cause. Nothing need be done.",
    remedies: [],
  },
  failed: {
    title: "Failed",
    tone: "bad",
    sign: "✗",
    says: "Runs that failed lately. A retry is a new run that keeps what succeeded.",
    remedies: ["new-run"],
  },
};

const other: Kind = { title: "Waits", tone: "idle", sign: "·", says: "", remedies: [] };

export function kindOf(kind: string): Kind {
  return kinds[kind] ?? { ...other, title: kind };
}

export interface Group {
  kind: string;
  items: AttentionItem[];
}

/** Items by kind, what blocks a run first. */
export function groups(items: readonly AttentionItem[]): Group[] {
  const found = new Map<string, AttentionItem[]>();
  for (const item of items) found.set(item.kind, [...(found.get(item.kind) ?? []), item]);
  const order = Object.keys(kinds);
  const rank = (kind: string) => { const at = order.indexOf(kind); return at < 0 ? order.length : at; };
  return [...found].map(([kind, items]) => ({ kind, items })).sort((a, b) => rank(a.kind) - rank(b.kind));
}

export function keyOf(item: AttentionItem): string {
  return [item.kind, item.run ?? "", item.at ?? "", item.flow].join("\n");
}
