// Whether times are shown in the zone of who looks, or in UTC.
import { useSyncExternalStore } from "react";
import type { Zone } from "./format";

const KEY = "vastflow.zone";
const listeners = new Set<() => void>();
let zone = kept();

function kept(): Zone {
  try {
    return localStorage.getItem(KEY) === "utc" ? "utc" : "local";
  } catch {
    return "local";
  }
}

export function setZone(next: Zone): void {
  zone = next;
  try {
    localStorage.setItem(KEY, next);
  } catch {
    // It holds until the tab is closed.
  }
  listeners.forEach((listener) => { listener(); });
}

export function useZone(): Zone {
  return useSyncExternalStore((listener) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  }, () => zone);
}
