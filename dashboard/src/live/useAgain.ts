import { useQueryClient, type QueryKey } from "@tanstack/react-query";
import { useCallback, useEffect, useRef } from "react";
import { Again } from "./again";

/** Gives what says that there was news; `ask` is called after it, as `Again` sees fit. */
export function useAgain(ask: () => Promise<unknown>, soonest: number): (isNow?: boolean) => void {
  const latest = useRef(ask);
  latest.current = ask;
  const again = useRef<Again | null>(null);
  useEffect(() => {
    const own = new Again(() => latest.current(), soonest);
    again.current = own;
    return () => { own.end(); };
  }, [soonest]);
  return useCallback((isNow = false) => { again.current?.news(isNow); }, []);
}

/** The same for queries: they are stale after news, and asked for anew where they are shown. */
export function useStale(keys: readonly QueryKey[], soonest: number): () => void {
  const client = useQueryClient();
  const news = useAgain(() => Promise.allSettled(keys.map((queryKey) => client.invalidateQueries({ queryKey }))), soonest);
  return useCallback(() => { news(); }, [news]);
}
