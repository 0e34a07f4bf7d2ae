// What each state of a run or a node looks like: a tone (a colour) and a sign, so that colour is never all there is.

export type Tone = "ok" | "bad" | "run" | "wait" | "warn" | "idle" | "undo";

interface Look {
  tone: Tone;
  sign: string;
  /** What it means, in words. */
  says: string;
}

const looks: Record<string, Look> = {
  // Of runs.
  queued: { tone: "idle", sign: "○", says: "nobody has begun it yet" },
  running: { tone: "run", sign: "▶", says: "under way" },
  paused: { tone: "wait", sign: "‖", says: "nothing new starts until somebody resumes it" },
  "needs-attention": { tone: "warn", sign: "!", says: "it waits for a person" },
  stopping: { tone: "warn", sign: "■", says: "what is under way is told to stop and waited for" },
  succeeded: { tone: "ok", sign: "✓", says: "it has its result" },
  failed: { tone: "bad", sign: "✗", says: "it failed" },
  stopped: { tone: "idle", sign: "■", says: "somebody stopped it" },
  // Of nodes, besides.
  waiting: { tone: "idle", sign: "·", says: "it waits for other nodes" },
  ready: { tone: "idle", sign: "○", says: "its call waits in the queue" },
  retrying: { tone: "warn", sign: "↻", says: "an attempt failed; the next is due or running" },
  polling: { tone: "wait", sign: "…", says: "its work was submitted and is asked for" },
  rescuing: { tone: "warn", sign: "⤴", says: "it failed, and its own on_failure is asked" },
  open: { tone: "run", sign: "⋯", says: "what it opened is under way" },
  sleeping: { tone: "wait", sign: "☾", says: "it sleeps" },
  listening: { tone: "wait", sign: "◉", says: "it waits for a signal" },
  parked: { tone: "warn", sign: "!", says: "it failed for good and waits for an operator" },
  skipped: { tone: "idle", sign: "⤼", says: "it was not needed, or could not come to be" },
  dropped: { tone: "idle", sign: "–", says: "the run ended before it did" },
  undone: { tone: "undo", sign: "«", says: "what it did was taken back" },
  held: { tone: "wait", sign: "‖", says: "its call is held back, because the run is paused" },
  "no code": { tone: "warn", sign: "?", says: "no worker has its code" },
};

export function look(status: string): Look {
  return looks[status] ?? { tone: "idle", sign: "·", says: status };
}
