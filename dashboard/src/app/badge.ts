// How often the navigation asks what waits for a person: a little less often than the screens do.
import type { LiveState } from "../live/stream";

const EVERY = 15_000;
const EVERY_WHILE_STILL = 60_000;

/** A page that follows no stream is one on which nothing is watched, and one that waits to be connected should not press. */
export function countEvery(state: LiveState): number {
  return state === "live" ? EVERY : EVERY_WHILE_STILL;
}
