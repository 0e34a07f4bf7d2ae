// News of runs, put into a list that is shown.
import type { RunsAsked } from "../../api/queries";
import type { Page, RunRow } from "../../api/types";
import { fits } from "./filters";

export interface Pages {
  pages: Page<RunRow>[];
  pageParams: unknown[];
}

/** Whether the last look found nothing, and there is more to look at: for one answer the service looks at so many runs only. */
export function isEmptyHanded(pages: readonly Page<RunRow>[]): boolean {
  const last = pages.at(-1);
  return last?.items.length === 0 && last.next != null;
}

/** Replaces what is known, takes out what no longer fits, and puts what is new and fits at the top. */
export function patched(list: Pages, news: readonly RunRow[], asked: RunsAsked): Pages {
  const latest = new Map(news.map((run) => [run.id, run]));
  const known = new Set<string>();
  const pages = list.pages.map((page) => {
    const here = page.items.filter(({ id }) => latest.has(id));
    // Most pages of a long list stay as they are.
    if (here.length === 0) return page;
    here.forEach(({ id }) => known.add(id));
    const items = page.items.flatMap((run) => {
      const now = latest.get(run.id) ?? run;
      return now === run || fits(now, asked) ? [now] : [];
    });
    return { ...page, items };
  });
  const [first, ...rest] = pages;
  const oldest = first?.items.at(-1)?.started_at_ms ?? 0;
  // Of what is older than the first page nobody knows here on which page it stands.
  const fresh = [...latest.values()].filter((run) => !known.has(run.id) && fits(run, asked) && run.started_at_ms >= oldest);
  if (!first || fresh.length === 0) return { ...list, pages };
  fresh.sort((a, b) => b.started_at_ms - a.started_at_ms);
  return { ...list, pages: [{ ...first, items: [...fresh, ...first.items] }, ...rest] };
}
