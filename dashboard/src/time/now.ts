// The time now, for what counts up on the screen. One timer for all, and none while nobody looks.
import { useSyncExternalStore } from "react";

const listeners = new Set<() => void>();
let now = Date.now();
let timer: ReturnType<typeof setInterval> | undefined;

function tick(): void {
  if (document.hidden) return;
  now = Date.now();
  listeners.forEach((listener) => { listener(); });
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  timer ??= setInterval(tick, 1000);
  return () => {
    listeners.delete(listener);
    if (listeners.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  };
}

const never = () => () => undefined;

/** The time now, a second apart. With `isOn` false it stands still and costs nothing. */
export function useNow(isOn = true): number {
  return useSyncExternalStore(isOn ? subscribe : never, () => now);
}
