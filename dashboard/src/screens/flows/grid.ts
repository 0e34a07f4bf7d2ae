// Runs × nodes: at a glance, where a flow breaks.
import type { Grid } from "../../api/types";

/** How many of the runs that reached a node failed there. */
export function failures(grid: Grid, node: number): { failed: number; reached: number } {
  const states = grid.runs.map((run) => run.states[node] ?? null);
  const reached = states.filter((state) => state !== null && !["waiting", "skipped", "dropped"].includes(state));
  return { failed: reached.filter((state) => state === "failed" || state === "parked").length, reached: reached.length };
}

/** The share of ended runs that succeeded, or null when none has ended. */
export function successRate(stats: { succeeded: number; failed: number; stopped: number }): number | null {
  const ended = stats.succeeded + stats.failed + stats.stopped;
  return ended === 0 ? null : stats.succeeded / ended;
}

/** `98.5 %`; never 100 % when something failed. */
export function percent(share: number): string {
  if (share === 1 || share === 0) return `${share * 100} %`;
  return `${Math.min(99.9, Math.max(0.1, share * 100)).toFixed(1).replace(/\.0$/, "")} %`;
}
