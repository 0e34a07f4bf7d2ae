// What can be asked of a run, in the words of the command and of the API.
import { isOver, type Right, type RunStatus } from "../api/types";
import type { IconName } from "../ui/icons";

export type RunVerb = "pause" | "resume" | "stop" | "kill" | "retry" | "rerun" | "delete";

export interface VerbSays {
  verb: RunVerb;
  label: string;
  icon: IconName;
  right: Right;
  /** It cannot be taken back: a reason is asked for. */
  isDestructive: boolean;
  /** What happens then. */
  effect: string;
  /** What was done, for the line at the bottom. */
  done: string;
  fits: (status: RunStatus) => boolean;
}

const goesOn = (status: RunStatus) => !isOver(status);
const wentWrong = (status: RunStatus) => status === "failed" || status === "stopped";

export const VERBS: readonly VerbSays[] = [
  {
    verb: "pause", label: "Pause", icon: "pause", right: "operator", isDestructive: false, done: "paused",
    effect: "Nothing new starts. What is under way is waited for and recorded. Time limits go on counting.",
    fits: (status) => goesOn(status) && status !== "paused" && status !== "stopping",
  },
  {
    verb: "resume", label: "Resume", icon: "play", right: "operator", isDestructive: false, done: "resumed",
    effect: "It goes on with exactly what was held back.",
    fits: (status) => status === "paused",
  },
  {
    verb: "retry", label: "Retry", icon: "retry", right: "operator", isDestructive: false, done: "retried",
    effect: "A new run begins that keeps what succeeded and does what failed, was undone or never started.",
    fits: wentWrong,
  },
  {
    verb: "rerun", label: "Rerun", icon: "play", right: "operator", isDestructive: false, done: "begun again",
    effect: "A new run begins from the start, with the same input. Everything is done again.",
    fits: isOver,
  },
  {
    verb: "stop", label: "Stop", icon: "stop", right: "operator", isDestructive: true, done: "told to stop",
    effect: "Nothing new starts. What is under way is told and waited for; then what was done is undone where there are undo actions, and the hooks run.",
    fits: (status) => goesOn(status) && status !== "stopping",
  },
  {
    verb: "kill", label: "Kill", icon: "kill", right: "operator", isDestructive: true, done: "killed",
    effect: "The same as stop, but nothing is waited for: what is under way counts no more, even if it succeeds. What it did outside may stay.",
    fits: goesOn,
  },
  {
    verb: "delete", label: "Delete", icon: "trash", right: "admin", isDestructive: true, done: "deleted",
    effect: "The run is deleted with all there is of it: its events, what it carried, its error. Its id is free again.",
    fits: isOver,
  },
];

export function says(verb: RunVerb): VerbSays {
  const found = VERBS.find((one) => one.verb === verb);
  if (!found) throw new Error(`there is no verb ${verb}`);
  return found;
}
