import { useInfiniteQuery, useQueryClient, type InfiniteData, type UseInfiniteQueryResult } from "@tanstack/react-query";
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { queries, type RunsAsked } from "../../api/queries";
import type { Page, RunChanged, RunRow } from "../../api/types";
import type { Told } from "../../live/sse";
import { useLive } from "../../live/useLive";
import { isEmptyHanded, patched } from "./patch";

type List = InfiniteData<Page<RunRow>, string | undefined>;

/** The counts are of the whole store: often enough is every few seconds. */
const COUNT_EVERY = 3_000;

/** So many pages are read again at once; who was farther down reads on from there. */
const PAGES_AGAIN = 10;

function shortened({ pages, pageParams }: List): List {
  return { pages: pages.slice(0, PAGES_AGAIN), pageParams: pageParams.slice(0, PAGES_AGAIN) };
}

/** Runs, as they are now: pages of the list, and what the stream says since. While the reader is down in the list what is new waits. */
export function useRuns(asked: RunsAsked, isHeld: boolean) {
  const client = useQueryClient();
  const query = useInfiniteQuery(queries.runs(asked));
  const held = useRef(new Map<string, RunRow>());
  const [waiting, setWaiting] = useState(0);
  const counted = useRef(0);

  const apply = useCallback((news: readonly RunRow[]) => {
    client.setQueryData<List>(["runs", asked], (list) => (list ? (patched(list, news, asked) as List) : list));
  }, [client, asked]);

  const release = useCallback(() => {
    apply([...held.current.values()]);
    held.current.clear();
    setWaiting(0);
  }, [apply]);

  const hear = (news: Told[]) => {
    if (news.some(({ name }) => name === "reset")) {
      client.setQueryData<List>(["runs", asked], (list) => (list ? shortened(list) : list));
      void client.invalidateQueries({ queryKey: ["runs"] });
    }
    const rows = news.filter(({ name }) => name === "run").map(({ data }) => (JSON.parse(data) as RunChanged).run);
    if (isHeld) {
      const known = new Set(client.getQueryData<List>(["runs", asked])?.pages.flatMap(({ items }) => items.map(({ id }) => id)));
      apply(rows.filter(({ id }) => known.has(id)));
      for (const row of rows) if (!known.has(row.id)) held.current.set(row.id, row);
      setWaiting(held.current.size);
    } else {
      apply(rows);
      if (held.current.size > 0) release();
    }
    if (performance.now() - counted.current > COUNT_EVERY) {
      counted.current = performance.now();
      void client.invalidateQueries({ queryKey: ["counts"] });
    }
  };
  useLive(null, hear);

  const rows = useMemo(() => query.data?.pages.flatMap(({ items }) => items) ?? [], [query.data]);
  const further = useFurther(asked, query);
  const { fetchNextPage, hasNextPage, isFetchingNextPage } = query;
  const mayGoOn = hasNextPage && !isFetchingNextPage && !further.isOffered;
  const more = useCallback(() => { if (mayGoOn) void fetchNextPage(); }, [fetchNextPage, mayGoOn]);
  return { rows, waiting, release, more, query, further };
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
