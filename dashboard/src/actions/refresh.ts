import { client } from "../api/client";
import type { RunRow } from "../api/types";

/** After something was asked of a run: shows what was answered, and makes stale what may be another now. */
export function changed(run?: RunRow): void {
  if (run) client.setQueryData(["run", run.id], run);
  for (const queryKey of [["runs"], ["counts"], ["attention"], ...(run ? [["run", run.id, "view"], ["run", run.id, "attention"]] : [])]) {
    void client.invalidateQueries({ queryKey });
  }
}
