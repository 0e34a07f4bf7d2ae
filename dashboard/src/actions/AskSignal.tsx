import { useState } from "react";
import { actions } from "../api/actions";
import { say } from "../ui/say";
import { Ask } from "./Ask";
import { badJson } from "./AskFork";
import { command } from "./cli";
import { changed } from "./refresh";

interface Props {
  run: string;
  /** The signal that is waited for; asked for when nobody knows. */
  name?: string | undefined;
  scope?: string;
  onClose: () => void;
}

/** Sends a signal to a run. */
export function AskSignal({ run, name: known, scope = "", onClose }: Props) {
  const [name, setName] = useState(known ?? "");
  const [text, setText] = useState("null");
  const problem = badJson(text);
  const act = async () => {
    await actions.signal(run, name, text, scope);
    changed();
    say(`signal ${name} sent to ${run}`);
  };
  return (
    <Ask title={`Signal ${run}`} button="Send" act={act} onClose={onClose} isReady={problem === null && name !== ""}
      command={() => command(["runs", "signal", run, name || "NAME"], { input: text, within: scope })}
      effect={<p>The node that has waited for it longest takes it, or the first that will.</p>}>
      <label className="field">
        <span>Signal</span>
        <input className="input" value={name} required spellCheck={false} readOnly={known !== undefined} onChange={(event) => { setName(event.target.value); }} />
      </label>
      <label className="field">
        <span>What it carries, as JSON</span>
        <textarea className="input" rows={6} value={text} spellCheck={false} autoFocus onChange={(event) => { setText(event.target.value); }} />
        {problem !== null && <span className="field-bad">{problem}</span>}
      </label>
    </Ask>
  );
}
