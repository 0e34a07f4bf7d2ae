// What can be asked of the service, as queries. Keys begin with the subject, so that a change can make all of it stale.
import { infiniteQueryOptions, keepPreviousData, queryOptions } from "@tanstack/react-query";
import { get, getBytes } from "./http";
import { isForbidden, Refused } from "./problem";
import type {
  AttentionItem, AuditRow, ContextRow, Counts, Figures, FlowRow, FlowStats, FlowView, Grid, Health, Me, Page, QueueRow, RunRow, RunStatus, RunView, ScopeRow, TokenRow, Workers,
} from "./types";

/** What a list of runs is asked for. */
export interface RunsAsked {
  flow?: string | undefined;
  status?: RunStatus | undefined;
  labels?: readonly string[] | undefined;
  since_ms?: number | undefined;
  /** With this text in their id, in the value of a label, or in what they failed with. */
  q?: string | undefined;
}

/** The first page is what is seen at once; the others are read ahead of who scrolls. */
const RUNS_AT_FIRST = 100;
const RUNS_A_PAGE = 500;
const RUNS_AT_MOST = 1_000;
const SCOPES_A_PAGE = 500;

export const queries = {
  health: () => queryOptions({ queryKey: ["health"], queryFn: ({ signal }) => getHealth(signal), staleTime: 60_000 }),
  me: () => queryOptions({ queryKey: ["me"], queryFn: ({ signal }) => get<Me>(["me"], {}, signal), staleTime: 300_000 }),
  /** Who may not know them, for seeing some flows only, may not later either: it is asked no more until somebody else signs in. */
  counts: () =>
    queryOptions({
      queryKey: ["counts"],
      queryFn: ({ signal }) => get<Counts>(["counts"], {}, signal),
      enabled: (query) => !isForbidden(query.state.error),
      retry: false,
    }),
  flows: () => queryOptions({ queryKey: ["flows"], queryFn: ({ signal }) => get<Page<FlowRow>>(["flows"], {}, signal), staleTime: 30_000 }),
  flow: (name: string) =>
    queryOptions({ queryKey: ["flows", name], queryFn: ({ signal }) => get<FlowView>(["flows", name], {}, signal), staleTime: 30_000 }),
  queues: () => queryOptions({ queryKey: ["queues"], queryFn: ({ signal }) => get<Page<QueueRow>>(["queues"], {}, signal) }),
  workers: () => queryOptions({ queryKey: ["workers"], queryFn: ({ signal }) => get<Workers>(["workers"], {}, signal) }),
  attention: (limit = 50) =>
    queryOptions({
      queryKey: ["attention", limit],
      queryFn: ({ signal }) => get<Page<AttentionItem>>(["attention"], { limit }, signal),
    }),
  audit: () =>
    infiniteQueryOptions({
      queryKey: ["audit"],
      queryFn: ({ pageParam, signal }) => get<Page<AuditRow>>(["audit"], { before: pageParam, limit: 200 }, signal),
      initialPageParam: undefined as string | undefined,
      getNextPageParam: (last) => last.next ?? undefined,
    }),
  tokens: () => queryOptions({ queryKey: ["tokens"], queryFn: ({ signal }) => get<Page<TokenRow>>(["tokens"], {}, signal) }),
  stats: (flow: string) =>
    queryOptions({ queryKey: ["flows", flow, "stats"], queryFn: ({ signal }) => get<FlowStats>(["flows", flow, "stats"], {}, signal) }),
  grid: (flow: string, limit: number) =>
    queryOptions({ queryKey: ["runs", "grid", flow, limit], queryFn: ({ signal }) => get<Grid>(["flows", flow, "grid"], { limit }, signal) }),
  /** The newest runs of a flow, and no more of them. */
  newest: (flow: string, limit: number) =>
    queryOptions({ queryKey: ["runs", "newest", flow, limit], queryFn: ({ signal }) => get<Page<RunRow>>(["runs"], { flow, limit }, signal) }),
  /** How runs went over time. */
  figures: (minutes: number, buckets: number) =>
    queryOptions({
      queryKey: ["figures", minutes, buckets],
      queryFn: ({ signal }) => get<Figures>(["figures"], { minutes, buckets }, signal),
      placeholderData: keepPreviousData,
    }),
  /** A plan never changes: its hash is its name. */
  plan: (flow: string, plan: string | undefined) =>
    queryOptions({
      queryKey: ["plan", flow, plan],
      queryFn: ({ signal }) => get<unknown>(["flows", flow, "plan"], { plan }, signal),
      staleTime: Infinity,
      gcTime: 3_600_000,
    }),
  runs: (asked: RunsAsked) =>
    infiniteQueryOptions({
      queryKey: ["runs", asked],
      queryFn: ({ pageParam, signal }) => getRuns(asked, pageParam, signal),
      // The stream tells what changed, also after the tab was hidden. A list may be of a hundred thousand runs: it is not
      // read again, nor compared with what it was, for nothing.
      refetchOnWindowFocus: false,
      structuralSharing: false,
      initialPageParam: undefined as string | undefined,
      getNextPageParam: (last) => last.next ?? undefined,
      placeholderData: keepPreviousData,
    }),
  run: (id: string) => queryOptions({ queryKey: ["run", id], queryFn: ({ signal }) => get<RunRow>(["runs", id], {}, signal) }),
  view: (id: string, scope = "") =>
    queryOptions({
      queryKey: ["run", id, "view", scope],
      queryFn: ({ signal }) => get<RunView>(["runs", id, "view"], { scope: scope || undefined }, signal),
    }),
  runAttention: (id: string) =>
    queryOptions({
      queryKey: ["run", id, "attention"],
      queryFn: ({ signal }) => get<Page<AttentionItem>>(["runs", id, "attention"], {}, signal),
    }),
  /** What a node opened: the items of a foreach. */
  scopes: (id: string, at: string, status: ScopeRow["status"] | undefined) =>
    infiniteQueryOptions({
      queryKey: ["run", id, "view", "scopes", at, status],
      queryFn: ({ pageParam, signal }) => get<Page<ScopeRow>>(["runs", id, "scopes"], { at, status, after: pageParam, limit: SCOPES_A_PAGE }, signal),
      initialPageParam: undefined as string | undefined,
      getNextPageParam: (last) => last.next ?? undefined,
      placeholderData: keepPreviousData,
    }),
  context: (id: string) =>
    queryOptions({
      queryKey: ["run", id, "context"],
      queryFn: ({ signal }) => get<Page<ContextRow>>(["runs", id, "context"], {}, signal),
      retry: false,
    }),
  payload: (id: string, which: "input" | "output") =>
    queryOptions({
      queryKey: ["run", id, "payload", which],
      queryFn: ({ signal }) => getBytes(["runs", id, which], {}, signal),
      staleTime: Infinity,
      retry: false,
    }),
  /** What flowed into a node, or what it gave. */
  carried: (id: string, at: string, which: "input" | "output") =>
    queryOptions({
      queryKey: ["run", id, "carried", at, which],
      queryFn: ({ signal }) => getBytes(["runs", id, "nodes", which], { at }, signal),
      retry: false,
    }),
};

function getRuns(asked: RunsAsked, before: string | undefined, signal: AbortSignal): Promise<Page<RunRow>> {
  const { flow, status, labels, since_ms, q } = asked;
  return get<Page<RunRow>>(["runs"], { flow, status, label: labels, since_ms, q, before, limit: before === undefined ? RUNS_AT_FIRST : RUNS_A_PAGE }, signal);
}

/** Runs like these that stand in one of these ways: as many as one page holds, the newest first. */
export function findRuns(asked: RunsAsked, statuses: readonly RunStatus[], before: string | undefined, signal: AbortSignal): Promise<Page<RunRow>> {
  const { flow, labels, since_ms, q } = asked;
  return get<Page<RunRow>>(["runs"], { flow, status: statuses, label: labels, since_ms, q, before, limit: RUNS_AT_MOST }, signal);
}

/** The service's health; it does not stand below the API's path. */
async function getHealth(signal: AbortSignal): Promise<Health | null> {
  try {
    return await get<Health>(["..", "..", "health"], {}, signal);
  } catch (error) {
    if (error instanceof Refused) return null;
    throw error;
  }
}
