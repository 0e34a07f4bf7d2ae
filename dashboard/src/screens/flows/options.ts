// What can be said of a run besides its input.
import type { StartRun } from "../../api/types";

export interface StartOptions {
  id: string;
  labels: [string, string][];
  key: string;
  lane: string;
  priority: string;
  minutes: string;
}

export const noOptions: StartOptions = { id: "", labels: [], key: "", lane: "", priority: "", minutes: "" };

/** What is asked for; `problem` says what cannot be. */
export function optionsBody(options: StartOptions): Partial<StartRun> & { problem?: string } {
  const body: Partial<StartRun> & { problem?: string } = {};
  const labels = options.labels.filter(([name]) => name.trim() !== "").map(([name, value]) => [name.trim(), value]);
  if (options.id.trim() !== "") body.id = options.id.trim();
  if (labels.length > 0) body.labels = Object.fromEntries(labels) as Record<string, string>;
  if (options.key !== "") body.key = options.key;
  if (options.lane.trim() !== "") body.lane = options.lane.trim();
  if (options.priority.trim() !== "") body.priority = Number(options.priority);
  if (options.minutes.trim() !== "") body.deadline_in_ms = Math.round(Number(options.minutes) * 60_000);
  if (body.priority !== undefined && !(Number.isInteger(body.priority) && Math.abs(body.priority) <= 127)) {
    return { problem: "The priority is a whole number from -127 to 127." };
  }
  if (body.deadline_in_ms !== undefined && !(Number.isFinite(body.deadline_in_ms) && Number(body.deadline_in_ms) > 0)) {
    return { problem: "The time limit is a number of minutes." };
  }
  return body;
}
