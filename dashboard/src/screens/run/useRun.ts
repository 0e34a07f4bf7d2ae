// A run as it goes on: what the service says of it, its plan, its journal; and the stream that tells when to ask again.
import { useQueries, useQuery } from "@tanstack/react-query";
import { useEffect, useMemo, useState, useSyncExternalStore } from "react";
import { client } from "../../api/client";
import { get } from "../../api/http";
import { queries } from "../../api/queries";
import { isOver, type AttentionItem, type EventRow, type Page, type RunRow, type RunView } from "../../api/types";
import { draw, type Drawn } from "../../graph/model";
import type { Told } from "../../live/sse";
import { useAgain } from "../../live/useAgain";
import { useLive } from "../../live/useLive";
import { asPlan, type Plan } from "../../plan/spec";
import { Log } from "./log";
import { openedScopes } from "./looks";

/** What is asked again at most so often, and less often when the answer takes its time. */
const SOONEST = 400;
/** Views of scopes inside that are asked for with that of the run; each is one question. */
const MOST_SCOPES = 24;
const PAGE = 1000;
const NONE: readonly AttentionItem[] = [];

export interface RunData {
  id: string;
  run: RunRow | undefined;
  view: RunView | undefined;
  /** What of it waits for a person. */
  waits: readonly AttentionItem[];
  plan: Plan | null;
  drawn: Drawn | null;
  /** Views by scope: of the run, and of what its graph draws inside. */
  views: ReadonlyMap<string, RunView>;
  log: Log;
  error: unknown;
  again: () => void;
}

export function useRun(id: string): RunData {
  const [log] = useState(() => new Log(id));
  const row = useQuery(queries.run(id));
  const view = useQuery(queries.view(id));
  const run = row.data;
  const attention = useQuery({ ...queries.runAttention(id), enabled: run?.status === "needs-attention" });
  const waits = run?.status === "needs-attention" ? attention.data?.items ?? NONE : NONE;
  const planned = useQuery({ ...queries.plan(run?.flow ?? "", run?.plan), enabled: run !== undefined });
  const plan = useMemo(() => asPlan(planned.data), [planned.data]);
  const drawn = useMemo(() => (plan ? draw(plan) : null), [plan]);
  const views = useViews(id, view.data, drawn);
  useFollow(id, run, log);
  return {
    id, run, view: view.data, waits, plan, drawn, views, log,
    error: row.error ?? view.error,
    again: () => { void row.refetch(); void view.refetch(); },
  };
}

/** The views of the scopes that the graph draws. Each round may open more of them: arms within arms. */
function useViews(id: string, view: RunView | undefined, drawn: Drawn | null): ReadonlyMap<string, RunView> {
  const [wanted, setWanted] = useState<readonly string[]>([]);
  const inner = useQueries({
    queries: wanted.map((scope) => queries.view(id, scope)),
    combine: (results) => results.map(({ data }) => data),
  });
  const views = useMemo(() => {
    const all = new Map<string, RunView>();
    if (view) all.set("", view);
    for (const one of inner) if (one?.scope) all.set(one.scope, one);
    return all;
  }, [view, inner]);
  useEffect(() => {
    if (!drawn) return;
    const next = openedScopes(drawn, views).slice(0, MOST_SCOPES);
    setWanted((before) => (next.length === before.length && next.every((scope, at) => scope === before[at]) ? before : next));
  }, [drawn, views]);
  return views;
}

/** Follows the run's stream while it goes on: events into the journal, and a new look at the run now and then. */
function useFollow(id: string, run: RunRow | undefined, log: Log): void {
  const refresh = useRefresh(id);
  // Whether it went on when it was first seen: once followed, it is to its end.
  const [follows, setFollows] = useState<boolean | null>(null);
  if (follows === null && run !== undefined) setFollows(!isOver(run.status));
  const hear = (news: Told[]) => {
    const events = news.filter(({ name }) => name === "event").map(({ data }) => JSON.parse(data) as EventRow);
    const end = news.find(({ name }) => name === "end");
    log.take(events, log.isWhole || end !== undefined);
    if (end) client.setQueryData(["run", id], JSON.parse(end.data) as RunRow);
    refresh(end !== undefined);
  };
  useLive(id, hear, follows === true, log.next > 0 ? String(log.next - 1) : null);
}

/** Looks at the run again: soon, and at once when it is over. */
function useRefresh(id: string): (isLast: boolean) => void {
  return useAgain(() => Promise.allSettled([
    client.refetchQueries({ queryKey: ["run", id, "view"], type: "active" }),
    client.refetchQueries({ queryKey: ["run", id], exact: true }),
    client.refetchQueries({ queryKey: ["run", id, "attention"], type: "active" }),
  ]), SOONEST);
}

/** The events that are here. Asks for those that are not, page by page, while `isWanted`; a stream may bring them, too. */
export function useEvents(log: Log, isWanted = true): { events: readonly EventRow[]; isWhole: boolean; error: unknown; again: () => void } {
  const events = useSyncExternalStore(log.subscribe, () => log.events);
  const isWhole = useSyncExternalStore(log.subscribe, () => log.isWhole);
  const [error, setError] = useState<unknown>(null);
  const [round, setRound] = useState(0);
  useEffect(() => {
    setError(null);
    if (!isWanted || log.isWhole) return;
    const cut = new AbortController();
    void readAll(log, cut.signal).catch((why: unknown) => { if (!cut.signal.aborted) setError(why); });
    return () => { cut.abort(); };
  }, [log, isWanted, round]);
  return { events, isWhole, error, again: () => { setRound(round + 1); } };
}

async function readAll(log: Log, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const page = await get<Page<EventRow>>(["runs", log.run, "events"], { after: log.next, limit: PAGE }, signal);
    const isLast = page.next === null || page.next === undefined;
    log.take(page.items, isLast);
    if (isLast) return;
  }
}
