// What the page says in passing: to those who see it at the bottom, to others by their screen reader.
import { useSyncExternalStore } from "react";

export interface Said {
  id: number;
  text: string;
  isBad: boolean;
}

const SHOWN = 4_000;
const listeners = new Set<() => void>();
let said: readonly Said[] = [];
let next = 1;

function change(now: readonly Said[]): void {
  said = now;
  listeners.forEach((listener) => { listener(); });
}

export function say(text: string, isBad = false): void {
  const one = { id: next++, text, isBad };
  change([...said.slice(-2), one]);
  setTimeout(() => { unsay(one.id); }, isBad ? SHOWN * 2 : SHOWN);
}

export function unsay(id: number): void {
  change(said.filter((one) => one.id !== id));
}

export function useSaid(): readonly Said[] {
  return useSyncExternalStore((listener) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  }, () => said);
}
