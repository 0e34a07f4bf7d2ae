// What is typed for a run's input, and the command that starts the same run.
import { command, quote } from "../../actions/cli";
import type { StartOptions } from "./options";

export function parsed(text: string): { isJson: true; value: unknown } | { isJson: false } {
  try {
    return { isJson: true, value: JSON.parse(text) };
  } catch {
    return { isJson: false };
  }
}

/** JSON for people. */
export function textOf(value: unknown): string {
  return JSON.stringify(value, null, 2);
}

/** The same from a terminal. */
export function asCommand(flow: string, input: string, options: StartOptions): string {
  const { id, key, lane } = options;
  const deadline = options.minutes.trim() === "" ? "" : `${Math.round(Number(options.minutes) * 60)}s`;
  const line = command(["start", flow], { input, id: id.trim(), key, lane: lane.trim(), priority: options.priority.trim(), deadline });
  const labels = options.labels.filter(([name]) => name.trim() !== "").map(([name, value]) => `--label ${quote(`${name.trim()}=${value}`)}`);
  return [line, ...labels].join(" ");
}
