// What the calls of a node said, read on from where it was read to: what is here already is not asked for again.
import type { RunLogs } from "../../../api/types";

/** A tab keeps no more lines of one node. */
const MOST = 50_000;

export interface Lines {
  lines: RunLogs["lines"];
  /** How many were said besides, and not kept. */
  dropped: number;
  /** How far it was read; none at the beginning. */
  seen?: string;
  /** Whether there are more than are kept here. */
  isMore: boolean;
}

export const NO_LINES: Lines = { lines: [], dropped: 0, isMore: false };

/** Reads what was said since, page by page. */
export async function readOn(before: Lines, page: (after: string | undefined) => Promise<RunLogs>): Promise<Lines> {
  if (before.isMore) return before;
  const lines = [...before.lines];
  let { dropped, seen } = before;
  for (;;) {
    const read = await page(seen);
    for (const line of read.lines) lines.push(line);
    dropped += read.dropped;
    seen = read.seen ?? read.next ?? seen;
    const isMore = read.next != null && lines.length >= MOST;
    if (read.next != null && !isMore) continue;
    return { lines, dropped, isMore, ...(seen === undefined ? {} : { seen }) };
  }
}
