// Many runs at once: which ones they are, and something asked of exactly those. They are found by their ids, page after page,
// before anybody means it: asked by a filter the service takes a thousand of those that fit and cannot go on behind them, as
// most that was asked for leaves a run as fitting as it was; and what is found later need not be what was counted.
import { told } from "../../api/problem";
import type { BulkDone, Page, RunRow } from "../../api/types";
import { whole } from "../../time/format";

/** So many runs are listed, and taken, by one request. */
export const A_TIME = 1_000;
/** When so many were found, it is enough for once. */
export const MOST = 50_000;
/** So often it is looked on: the service looks at some ten thousand runs for one answer. */
const MOST_LOOKS = 500;

/** What was found. */
export interface Found {
  ids: readonly string[];
  /** How many of them there are, for who asks. */
  matched: number;
  /** Whether all was looked at. */
  isAll: boolean;
  /** Why of some it cannot be asked. */
  refused: readonly string[];
}

/** Finds all that `page` lists, until there is no more, it is enough, or `signal` says so; then what was found so far is what there is. */
export async function find(page: (before?: string) => Promise<Page<Pick<RunRow, "id">>>, signal: AbortSignal, onFound: (matched: number) => void): Promise<Found> {
  const ids = new Set<string>();
  const found = (isAll: boolean): Found => ({ ids: [...ids], matched: ids.size, isAll, refused: [] });
  let before: string | undefined;
  for (let looks = 0; looks < MOST_LOOKS && ids.size < MOST && !signal.aborted; looks++) {
    try {
      const { items, next } = await page(before);
      for (const { id } of items) ids.add(id);
      if (next == null) return found(true);
      before = next;
    } catch (error) {
      if (!signal.aborted) throw error;
    }
    onFound(ids.size);
  }
  return found(false);
}

/** Asks about runs that were named, without doing anything. */
export async function look(ids: readonly string[], ask: (ids: string[]) => Promise<BulkDone>): Promise<Found> {
  const all = await Promise.all(parts(ids).map(ask));
  const matched = all.reduce((sum, one) => sum + one.matched, 0);
  return { ids, matched, isAll: true, refused: all.flatMap(({ failed }) => failed ?? []).map(({ detail }) => detail) };
}

function parts(ids: readonly string[]): string[][] {
  return Array.from({ length: Math.ceil(ids.length / A_TIME) }, (_, at) => ids.slice(at * A_TIME, (at + 1) * A_TIME));
}

/** What was found, in words. `found` is a number while it is still being counted. */
export function inWords(found: Found | number, label: string): string {
  const runs = (matched: number) => `${whole(matched)} run${matched === 1 ? "" : "s"}`;
  if (typeof found === "number") return `${runs(found)} so far, counting…`;
  const { matched, isAll } = found;
  const verb = label.toLowerCase();
  if (isAll) return matched === 0 ? `No run can be asked to ${verb}` : runs(matched);
  return matched === 0 ? `None so far can be asked to ${verb}, but not all runs were looked at` : `The newest ${runs(matched)}: not all were looked at, and only these are asked`;
}

/** What came of it. */
export interface Did {
  did: number;
  refused: number;
  /** Of these nothing is known: they were not asked, or no answer came. */
  left: number;
  error?: unknown;
}

/** Asks it of all, a thousand at a time, until an answer is no success or `signal` says that it is enough. */
export async function doAll(ids: readonly string[], ask: (ids: string[]) => Promise<BulkDone>, signal: AbortSignal, onDone: (did: number) => void): Promise<Did> {
  let did = 0;
  let asked = 0;
  const sum = () => ({ did, refused: asked - did, left: ids.length - asked });
  for (const part of parts(ids)) {
    if (signal.aborted) break;
    try {
      const { done } = await ask(part);
      did += done;
      asked += part.length;
      onDone(did);
    } catch (error) {
      return { ...sum(), error };
    }
  }
  return sum();
}

/** The same for people. */
export function summed({ did, refused, left, error }: Did, done: string): string {
  const said = [`${whole(did)} ${done}`];
  if (refused > 0) said.push(`${whole(refused)} could not be`);
  if (left > 0) said.push(error === undefined ? `${whole(left)} were not asked any more` : `of ${whole(left)} it is not known: ${told(error).title}`);
  return said.join("; ");
}
