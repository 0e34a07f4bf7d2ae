import { useInfiniteQuery, useQueryClient, type InfiniteData, type QueryClient, type UseInfiniteQueryResult } from "@tanstack/react-query";
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { queries, type RunsAsked } from "../../api/queries";
import type { Page, RunChanged, RunRow } from "../../api/types";
import type { Told } from "../../live/sse";
import { useStale } from "../../live/useAgain";
import { useLive } from "../../live/useLive";
import { isEmptyHanded, patched } from "./patch";

type List = InfiniteData<Page<RunRow>, string | undefined>;

/** The counts are of the whole store: often enough is every few seconds. */
const COUNT_EVERY = 3_000;
const COUNTS = [["counts"]];

/** So many pages are read again at once; who was farther down reads on from there. */
const PAGES_AGAIN = 10;

/** So many new runs are put into the list, or wait for who reads. A page may be open for days: are there more, the list is read anew. */
export const MOST_NEW = 1_000;

function shortened({ pages, pageParams }: List, most: number): List {
  return { pages: pages.slice(0, most), pageParams: pageParams.slice(0, most) };
}

/** Runs, as they are now: pages of the list, and what the stream says since. While the reader is down in the list what is new waits. */
export function useRuns(asked: RunsAsked, isHeld: boolean) {
  const client = useQueryClient();
  const query = useInfiniteQuery(queries.runs(asked));
  const held = useRef(new Map<string, RunRow>());
  // What came while the list was asked for: the answer may be older than that.
  const meanwhile = useRef(new Map<string, RunRow>());
  const [waiting, setWaiting] = useState(0);
  const staleCounts = useStale(COUNTS, COUNT_EVERY);
  const list = useMemo(() => listOf(client, asked), [client, asked]);

  const release = useCallback(() => {
    if (held.current.size < MOST_NEW) list.patch([...held.current.values()]);
    else list.readAgain(1);
    held.current.clear();
    setWaiting(0);
  }, [list]);

  const take = useCallback((rows: readonly RunRow[]) => {
    if (!isHeld) {
      list.patch(rows);
      if (held.current.size > 0) release();
      if (list.isLong() && !list.isAsked()) list.readAgain(1);
      return;
    }
    const known = list.ids();
    list.patch(rows.filter(({ id }) => known.has(id)));
    for (const row of rows) if (!known.has(row.id) && (held.current.size < MOST_NEW || held.current.has(row.id))) held.current.set(row.id, row);
    known.forEach((id) => held.current.delete(id));
    setWaiting(held.current.size);
  }, [isHeld, list, release]);

  useLive(null, (news: Told[]) => {
    if (news.some(({ name }) => name === "reset")) list.readAgain(PAGES_AGAIN);
    const rows = news.filter(({ name }) => name === "run").map(({ data }) => (JSON.parse(data) as RunChanged).run);
    if (list.isAsked()) for (const row of rows) meanwhile.current.set(row.id, row);
    take(rows);
    staleCounts();
  });

  useEffect(() => {
    if (query.isFetching || meanwhile.current.size === 0) return;
    const rows = [...meanwhile.current.values()];
    meanwhile.current.clear();
    take(rows);
  }, [query.isFetching, take]);
  // What waits belongs to the list that was asked for.
  useEffect(() => () => {
    held.current.clear();
    meanwhile.current.clear();
    setWaiting(0);
  }, [list]);

  const rows = useMemo(() => query.data?.pages.flatMap(({ items }) => items) ?? [], [query.data]);
  const further = useFurther(asked, query);
  const { fetchNextPage, hasNextPage, isFetchingNextPage } = query;
  const mayGoOn = hasNextPage && !isFetchingNextPage && !further.isOffered;
  const more = useCallback(() => { if (mayGoOn) void fetchNextPage(); }, [fetchNextPage, mayGoOn]);
  return { rows, waiting, release, more, query, further };
}

/** The list that was asked for, as it is kept. */
function listOf(client: QueryClient, asked: RunsAsked) {
  const queryKey = ["runs", asked];
  const get = () => client.getQueryData<List>(queryKey);
  return {
    ids: () => new Set(get()?.pages.flatMap(({ items }) => items.map(({ id }) => id))),
    isLong: () => (get()?.pages[0]?.items.length ?? 0) > MOST_NEW,
    isAsked: () => client.isFetching({ queryKey, exact: true }) > 0,
    patch: (rows: readonly RunRow[]) => {
      if (rows.length > 0) client.setQueryData<List>(queryKey, (list) => (list ? (patched(list, rows, asked) as List) : list));
    },
    /** Keeps so many pages, and asks for these anew. */
    readAgain: (pages: number) => {
      client.setQueryData<List>(queryKey, (list) => (list ? shortened(list, pages) : list));
      void client.invalidateQueries({ queryKey: ["runs"] });
    },
  };
}

type Query = UseInfiniteQueryResult<InfiniteData<Page<RunRow>>>;

/** Looking on where nothing was found. A look may take the service seconds, so somebody has to ask for it; then it goes on until something is found. */
function useFurther(asked: RunsAsked, { data, isPlaceholderData, fetchNextPage }: Query) {
  const [isLooking, setLooking] = useState(false);
  const cut = useRef(new AbortController());
  useEffect(() => {
    cut.current = new AbortController();
    setLooking(false);
    return () => { cut.current.abort(); };
  }, [asked]);
  const look = async () => {
    const own = new AbortController();
    cut.current = own;
    setLooking(true);
    for (let isOn = true; isOn;) {
      const { data, isError } = await fetchNextPage();
      isOn = !own.signal.aborted && !isError && isEmptyHanded(data?.pages ?? []);
    }
    if (!own.signal.aborted) setLooking(false);
  };
  const stop = () => {
    cut.current.abort();
    setLooking(false);
  };
  return { isOffered: !isPlaceholderData && isEmptyHanded(data?.pages ?? []), isLooking, looks: data?.pages.length ?? 0, look, stop };
}

export type Further = ReturnType<typeof useFurther>;
