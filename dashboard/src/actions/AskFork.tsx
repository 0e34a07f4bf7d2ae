import { useState } from "react";
import { fork } from "../api/actions";
import type { RunRow } from "../api/types";
import { path } from "../router/match";
import { navigate } from "../router/router";
import { say } from "../ui/say";
import { Ask } from "./Ask";
import { command } from "./cli";
import { changed } from "./refresh";

type With = "same" | "input" | "output";

interface Props {
  run: RunRow;
  node: string;
  /** What flowed into the node, if it is known: what editing begins with. */
  input?: string | undefined;
  first?: With;
  onClose: () => void;
}

/** Starts a new run from a node on, with something changed there. */
export function AskFork({ run, node, input, first = "input", onClose }: Props) {
  const [which, setWhich] = useState<With>(first);
  // Until somebody types, what stands here is what flowed in, which may come later than the window opens.
  const [typed, setTyped] = useState<string | null>(null);
  const text = typed ?? spread(input ?? "");
  const problem = which === "same" ? null : badJson(text);
  const act = async (why: string) => {
    const answer = await fork(run.id, { node, why }, which === "same" ? undefined : which, text);
    changed(answer);
    say(`${answer.id} goes on from ${node}`);
    navigate(path("runs", answer.id));
  };
  const option = which === "output" ? "gives" : "input";
  return (
    <Ask title={`Fork at ${node}`} button="Fork" act={act} onClose={onClose} isReady={problem === null} isWide
      command={(why) => command(["runs", "fork", run.id], { at: node, ...(which === "same" ? {} : { [option]: text }), why })}
      effect={<p>A new run begins. It keeps what this one's nodes gave, but for <code>{node}</code> and all that follows from it: that is done again.</p>}>
      <fieldset className="row wrap">
        <legend className="sr">What is changed</legend>
        <Choice of="same" is={which} on={setWhich} label="As it was" />
        <Choice of="input" is={which} on={setWhich} label="With another input" />
        <Choice of="output" is={which} on={setWhich} label="It gave this; it is not called" />
      </fieldset>
      {which !== "same" && (
        <label className="field">
          <span>{which === "input" ? "What the node gets" : "What the node gave"}, as JSON</span>
          <textarea className="input" rows={9} value={text} spellCheck={false} autoFocus aria-invalid={problem !== null && text !== ""}
            onChange={(event) => { setTyped(event.target.value); }} />
          {text !== "" && problem !== null && <span className="field-bad">{problem}</span>}
        </label>
      )}
    </Ask>
  );
}

function Choice({ of, is, on, label }: { of: With; is: With; on: (which: With) => void; label: string }) {
  return <button type="button" className="chip" aria-pressed={of === is} onClick={() => { on(of); }}>{label}</button>;
}

/** JSON on several lines, where that changes nothing else of it. */
function spread(text: string): string {
  try {
    const value = JSON.parse(text) as unknown;
    return JSON.stringify(value) === text ? JSON.stringify(value, null, 2) : text;
  } catch {
    return text;
  }
}

/** Why text is no JSON, or null when it is. */
export function badJson(text: string): string | null {
  try {
    JSON.parse(text);
    return null;
  } catch (error) {
    return error instanceof Error ? error.message : "this is no JSON";
  }
}
