import { actions } from "../api/actions";
import type { RunRow } from "../api/types";
import { path } from "../router/match";
import { navigate } from "../router/router";
import { say } from "../ui/say";
import { Ask } from "./Ask";
import { command } from "./cli";
import { changed } from "./refresh";
import { says, type RunVerb } from "./verbs";

interface Props {
  run: Pick<RunRow, "id">;
  verb: RunVerb;
  /** What it would do to this run, where that is known. */
  preview?: readonly string[];
  onClose: () => void;
}

/** Asks one thing of one run. */
export function AskVerb({ run, verb, preview = [], onClose }: Props) {
  const { label, effect, done, isDestructive } = says(verb);
  const act = async (why: string) => {
    if (verb === "delete") {
      await actions.delete(run.id, why);
      changed();
      navigate("/runs");
    } else {
      const answer = await actions.verb(run.id, verb, why);
      changed(answer);
      if (answer.id !== run.id) navigate(path("runs", answer.id));
    }
    say(`${run.id} ${done}`);
  };
  const word = verb === "delete" ? "rm" : verb;
  return (
    <Ask title={`${label} ${run.id}`} button={label} isDestructive={isDestructive} act={act} onClose={onClose}
      typed={verb === "delete" ? run.id : undefined}
      command={(why) => command(["runs", word, run.id], { why })}
      effect={<><p>{effect}</p><Preview lines={preview} /></>} />
  );
}

function Preview({ lines }: { lines: readonly string[] }) {
  if (lines.length === 0) return null;
  return <ul className="preview">{lines.map((line) => <li key={line}>{line}</li>)}</ul>;
}
