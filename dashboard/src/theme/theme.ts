// Dark, light, or what the system says. Kept in the browser; nothing about runs is.
import { useSyncExternalStore } from "react";

export type Theme = "system" | "light" | "dark";

const KEY = "vastflow.theme";
const listeners = new Set<() => void>();
let theme = kept();

function kept(): Theme {
  try {
    const text = localStorage.getItem(KEY);
    return text === "light" || text === "dark" ? text : "system";
  } catch {
    return "system"; // a browser may forbid to keep anything
  }
}

function show(): void {
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
}

show();

export function setTheme(next: Theme): void {
  theme = next;
  show();
  try {
    localStorage.setItem(KEY, next);
  } catch {
    // It holds until the tab is closed.
  }
  listeners.forEach((listener) => { listener(); });
}

export function useTheme(): Theme {
  return useSyncExternalStore((listener) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  }, () => theme);
}

/** What a colour variable is now; for what is drawn on a canvas. */
export function colour(name: string): string {
  const probe = document.createElement("span");
  probe.style.color = `var(--${name})`;
  document.body.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}
