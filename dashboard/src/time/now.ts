// The time now, for what counts up on the screen. One timer for all, and none while nobody looks.
import { useSyncExternalStore } from "react";

const listeners = new Set<() => void>();
/** How far the clock of this machine is behind the service's, whose times are shown. */
let behind = 0;
let now = Date.now();
let timer: ReturnType<typeof setInterval> | undefined;

/** Clocks differ, and answers take time: so far apart they may be and are taken for the same. */
const SAME = 3_000;

/** The time at the service, as far as that is known. */
export function serviceNow(): number {
  return Date.now() + behind;
}

/** Takes what time an answer says it is there, in whole seconds. */
export function hearTime(date: string | null): void {
  const there = date === null ? NaN : Date.parse(date) + 500;
  if (Number.isNaN(there)) return;
  const found = there - Date.now();
  if (Math.abs(found) <= SAME) behind = 0;
  else if (Math.abs(found - behind) > SAME) behind = found;
}

function tick(): void {
  if (document.hidden) return;
  now = serviceNow();
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
