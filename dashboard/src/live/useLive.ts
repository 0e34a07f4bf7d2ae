import { useEffect, useRef, useSyncExternalStore } from "react";
import { apiUrl } from "../api/http";
import type { Told } from "./sse";
import { live, type LiveState } from "./stream";

export function useLiveState(): LiveState {
  return useSyncExternalStore(live.subscribe, () => live.state);
}

/** Follows what becomes of all runs (`run` null) or of one, while the component is there and `isOn`. */
export function useLive(run: string | null, onNews: (news: Told[]) => void, isOn = true, lastId: string | null = null): void {
  const latest = useRef(onNews);
  latest.current = onNews;
  // Where to go on is asked once: later it is the stream that knows.
  const first = useRef(lastId);
  first.current = lastId;
  useEffect(() => {
    if (!isOn) return;
    const url = apiUrl(run === null ? ["stream"] : ["runs", run, "stream"]);
    return live.follow(url, (news) => { latest.current(news); }, first.current);
  }, [run, isOn]);
}
