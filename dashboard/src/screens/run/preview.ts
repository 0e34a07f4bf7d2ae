// What a verb would do to this run, as far as its view tells.
import type { RunVerb } from "../../actions/verbs";
import type { RunData } from "./useRun";

const MOST = 8;
const BUSY = new Set(["running", "retrying", "polling", "rescuing", "open"]);

export function preview(verb: RunVerb, { view, plan, log }: RunData): string[] {
  if (!view) return [];
  const names = (statuses: (status: string) => boolean) => view.nodes.filter(({ status }) => statuses(status)).map(({ name }) => name);
  const undoable = new Set(plan?.nodes.filter(({ undo }) => undo !== undefined).map(({ name }) => name));
  const busy = names((status) => BUSY.has(status));
  const done = names((status) => status === "succeeded");
  switch (verb) {
    case "stop":
    case "kill": {
      const undone = done.filter((name) => undoable.has(name));
      return [
        ...line(verb === "stop" ? "Told, and waited for" : "No longer waited for", busy),
        ...line("Taken back, the last first", undone.reverse()),
        ...line("Never begun", names((status) => status === "waiting" || status === "ready")),
      ];
    }
    case "pause": return line("Waited for and recorded", busy);
    case "retry": return [
      ...line("Kept", done),
      ...line("Done again", names((status) => status !== "succeeded" && status !== "skipped")),
    ];
    case "delete": return [`${log.next > 0 ? log.next : "All"} events, input and output`];
    default: return [];
  }
}

function line(what: string, names: readonly string[]): string[] {
  if (names.length === 0) return [];
  const more = names.length > MOST ? ` and ${names.length - MOST} more` : "";
  return [`${what}: ${names.slice(0, MOST).join(", ")}${more}`];
}
