// What the list of runs is asked for, as it stands in the page's address: a view that somebody shares is the same view.
import type { RunsAsked } from "../../api/queries";
import { RUN_STATUSES, type Filter, type RunRow, type RunStatus } from "../../api/types";

export const SINCE: Record<string, { label: string; ms: number }> = {
  "15m": { label: "last 15 min", ms: 900_000 },
  "1h": { label: "last hour", ms: 3_600_000 },
  "24h": { label: "last 24 hours", ms: 86_400_000 },
  "7d": { label: "last 7 days", ms: 604_800_000 },
};

export interface Filters {
  flow: string | null;
  status: RunStatus | null;
  labels: string[];
  since: string | null;
  words: string;
}

export function fromUrl(search: URLSearchParams): Filters {
  const status = search.get("status");
  const since = search.get("since");
  return {
    flow: search.get("flow") || null,
    status: RUN_STATUSES.find((one) => one === status) ?? null,
    labels: [...new Set(search.getAll("label").filter((label) => label.includes(":")))],
    since: since !== null && Object.hasOwn(SINCE, since) ? since : null,
    words: search.get("q") ?? "",
  };
}

/** Writes filters into an address, and leaves all else in it alone. */
export function toUrl(filters: Filters, search: URLSearchParams): void {
  const set = (name: string, value: string | null) => { if (value) search.set(name, value); else search.delete(name); };
  set("flow", filters.flow);
  set("status", filters.status);
  set("since", filters.since);
  set("q", filters.words);
  search.delete("label");
  for (const label of filters.labels) search.append("label", label);
}

/** What the service is asked. A minute is exact enough, and the same question again is the same. */
export function asked(filters: Filters, now: number): RunsAsked {
  const since = filters.since === null ? undefined : SINCE[filters.since];
  return {
    ...(filters.flow === null ? {} : { flow: filters.flow }),
    ...(filters.status === null ? {} : { status: filters.status }),
    ...(filters.labels.length === 0 ? {} : { labels: filters.labels }),
    ...(filters.words.trim() === "" ? {} : { q: filters.words.trim() }),
    ...(since === undefined ? {} : { since_ms: Math.floor((now - since.ms) / 60_000) * 60_000 }),
  };
}

/** The same for many runs at once: exactly those of the list, of which the service knows how it was asked for. */
export function asBulk({ flow, status, labels, since_ms, q }: RunsAsked): Filter {
  const split = (label: string): [string, string] => [label.slice(0, label.indexOf(":")), label.slice(label.indexOf(":") + 1)];
  return {
    ...(flow === undefined ? {} : { flow }),
    ...(status === undefined ? {} : { status }),
    ...(labels === undefined ? {} : { labels: Object.fromEntries(labels.map(split)) }),
    ...(since_ms === undefined ? {} : { since_ms }),
    ...(q === undefined ? {} : { q }),
  };
}

/** Whether a run belongs into a list that was asked for. */
export function fits(run: RunRow, { flow, status, labels, since_ms, q }: RunsAsked): boolean {
  const has = (label: string) => run.labels?.[label.slice(0, label.indexOf(":"))] === label.slice(label.indexOf(":") + 1);
  return (flow === undefined || run.flow === flow) && (status === undefined || run.status === status)
    && (labels ?? []).every(has) && (since_ms === undefined || run.started_at_ms >= since_ms)
    && (q === undefined || hasText(run, q));
}

/** Whether a text stands in a run's id, in the value of a label, or in what it failed with. */
function hasText(run: RunRow, text: string): boolean {
  const wanted = text.toLowerCase();
  return [run.id, ...Object.values(run.labels ?? {}), run.failure?.text ?? ""].some((of) => of.toLowerCase().includes(wanted));
}

/** Exactly the same runs as options of the command; null where the command cannot say it. */
export function asOptions({ flow, status, labels, since_ms, q }: Filter): Record<string, string | string[] | undefined> | null {
  if (q != null) return null;
  return {
    flow: flow ?? undefined,
    status: status ?? undefined,
    label: Object.entries(labels ?? {}).map(([key, value]) => `${key}=${value}`),
    from: since_ms == null ? undefined : new Date(since_ms).toISOString().slice(0, 16),
  };
}
