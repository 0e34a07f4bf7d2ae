// Paths below wherever the dashboard is mounted, kept in the browser's history.
import { useSyncExternalStore } from "react";
import { base } from "../api/base";

/** Where the page is: a path that begins with a slash and knows nothing of the mount, and what stands behind `?`. */
export interface Place {
  path: string;
  search: string;
}

const listeners = new Set<() => void>();
let place = read();
let isBack = false;

function read(): Place {
  const mount = base.pathname;
  const { pathname, search } = location;
  const path = pathname.startsWith(mount) ? pathname.slice(mount.length - 1) : "/";
  return { path: path === "" ? "/" : path, search };
}

function changed(): void {
  const now = read();
  if (now.path === place.path && now.search === place.search) return;
  place = now;
  listeners.forEach((listener) => { listener(); });
}

addEventListener("popstate", () => {
  isBack = true;
  changed();
});

/** Whether somebody came here by going back (or forth again): what they had in sight is what they expect. */
export function cameBack(): boolean {
  return isBack;
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function usePlace(): Place {
  return useSyncExternalStore(subscribe, () => place);
}

/** What the browser shows for a path of the dashboard (`/runs?flow=a`). */
export function href(to: string): string {
  return base.pathname + to.replace(/^\//, "");
}

export function navigate(to: string, how: { replace?: boolean } = {}): void {
  if (!how.replace) isBack = false;
  if (how.replace) history.replaceState(null, "", href(to));
  else history.pushState(null, "", href(to));
  changed();
  if (!how.replace) scrollTo(0, 0);
}

/** What stands behind `?`, and what changes it in place. */
export function useSearch(): [URLSearchParams, (change: (search: URLSearchParams) => void, how?: { push?: boolean }) => void] {
  const { search } = usePlace();
  return [new URLSearchParams(search), changeSearch];
}

function changeSearch(change: (search: URLSearchParams) => void, how: { push?: boolean } = {}): void {
  const search = new URLSearchParams(place.search);
  change(search);
  const text = search.toString();
  navigate(place.path + (text === "" ? "" : `?${text}`), { replace: !how.push });
}
