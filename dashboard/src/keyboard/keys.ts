// Keys. Whoever has keys says so while it is on the screen; the last that did is asked first.
import { useEffect, useRef } from "react";

/** A key (`j`, `Escape`), or two, one after the other (`g r`). */
export interface Key {
  keys: string;
  says: string;
  run: () => void;
}

interface Group {
  title: string;
  keys: readonly Key[];
}

/** How long after the first of two keys the second may come. */
const PAUSE = 1_200;

const groups: Group[] = [];
let first: { key: string; at: number } | null = null;

/** All keys that do something now, by what they belong to. */
export function keysNow(): readonly Group[] {
  return groups;
}

function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));
}

function pressed(event: KeyboardEvent): void {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  // An open dialog has the keyboard to itself, and an open menu: Escape closes that, and nothing else.
  if (isTyping(event.target) || document.querySelector("dialog:modal, :popover-open") !== null) return;
  const before = first !== null && event.timeStamp - first.at < PAUSE ? `${first.key} ${event.key}` : null;
  first = null;
  const all = [...groups].reverse().flatMap((group) => group.keys);
  const found = all.find((key) => key.keys === before) ?? all.find((key) => key.keys === event.key);
  if (found) {
    event.preventDefault();
    found.run();
  } else if (all.some((key) => key.keys.startsWith(`${event.key} `))) {
    first = { key: event.key, at: event.timeStamp };
  }
}

addEventListener("keydown", pressed);

/** Has keys while the component is there. */
export function useKeys(title: string, keys: readonly Key[]): void {
  const latest = useRef(keys);
  latest.current = keys;
  const names = keys.map((key) => `${key.keys}\t${key.says}`).join("\n");
  useEffect(() => {
    const run = (at: number) => () => { latest.current[at]?.run(); };
    const group = { title, keys: latest.current.map((key, at) => ({ ...key, run: run(at) })) };
    groups.push(group);
    return () => { groups.splice(groups.indexOf(group), 1); };
  }, [title, names]);
}
