// The screens: where each stands, how the navigation shows it, and from where it is loaded.
import { lazy, type ComponentType } from "react";
import type { Right } from "../api/types";
import type { IconName } from "../ui/icons";

/** What a screen is given: the parts of its path. */
export type ScreenProps = Record<string, string>;

type Screen = ComponentType<{ parts: ScreenProps }>;

export interface Route {
  pattern: string;
  /** What a screen reader and the window's title say. */
  title: string;
  screen: Screen;
  /** Fetches the screen's program, if it is not here yet. */
  load: () => Promise<unknown>;
  /** How it stands in the navigation; a route without it does not. */
  nav?: { icon: IconName; to: string; key: string; needs?: Right };
}

function route(pattern: string, title: string, load: () => Promise<{ default: Screen }>, nav?: Route["nav"]): Route {
  return { pattern, title, load, screen: lazy(load), ...(nav ? { nav } : {}) };
}

export const routes: readonly Route[] = [
  route("/", "Overview", () => import("../screens/overview/Overview"), { icon: "overview", to: "/", key: "o" }),
  route("/runs", "Runs", () => import("../screens/runs/Runs"), { icon: "runs", to: "/runs", key: "r" }),
  route("/runs/:id/:tab?", "Run", () => import("../screens/run/Run")),
  route("/flows", "Flows", () => import("../screens/flows/Flows"), { icon: "flows", to: "/flows", key: "f" }),
  route("/flows/:name/:tab?", "Flow", () => import("../screens/flows/Flow")),
  route("/workers", "Workers", () => import("../screens/workers/Workers"), { icon: "workers", to: "/workers", key: "w" }),
  route("/attention", "Attention", () => import("../screens/attention/Attention"), { icon: "attention", to: "/attention", key: "a" }),
  route("/audit", "Audit", () => import("../screens/audit/Audit"), { icon: "audit", to: "/audit", key: "u", needs: "admin" }),
  route("/tokens", "Tokens", () => import("../screens/tokens/Tokens")),
];

/** Fetches all screens, once the first one is there: one can go to each at once then, and also when the service is gone. */
export async function loadAll(): Promise<void> {
  for (const { load } of routes) {
    try {
      await load();
    } catch {
      // Then it is fetched when somebody goes there.
    }
  }
}
