// Lines of a log: their texts, and links to them.
import type { Place } from "../../../router/router";

/** The line that a link leads to, from 1; 0 when it leads to none. */
export function lineOf(search: URLSearchParams): number {
  const text = search.get("line") ?? "";
  return /^\d{1,9}$/.test(text) ? Number(text) : 0;
}

/** Where a line of a node is. The node is named, also where the page had opened on it by itself. */
export function placeOf({ path, search }: Place, node: string, line: number): string {
  const next = new URLSearchParams(search);
  next.set("node", node);
  next.set("line", String(line));
  return `${path}?${next.toString()}`;
}

/** What a terminal would show of a text: colours, and links behind words, are left out. */
export function plain(text: string): string {
  // eslint-disable-next-line no-control-regex -- these are the characters that it is about
  return text.replace(/\u001b(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\))/g, "");
}
