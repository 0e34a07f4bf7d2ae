import { useState } from "react";
import { resolve } from "../api/actions";
import type { Resolve } from "../api/types";
import { say } from "../ui/say";
import { Ask } from "./Ask";
import { badJson } from "./AskFork";
import { command } from "./cli";
import { changed } from "./refresh";

type Choice = Resolve["choice"];

const SAYS: Record<Choice, { title: string; button: string; effect: string }> = {
  retry: { title: "Retry", button: "Retry", effect: "It is tried again, with all its retries." },
  skip: { title: "Skip", button: "Skip", effect: "The run goes on without it. Its result is null: what follows must be able to read that." },
  done: { title: "Mark done", button: "Mark done", effect: "It was done by hand. The run goes on with the result that you give." },
};

interface Props {
  run: string;
  /** The node, as `attention` names it. */
  at: string;
  choice: Choice;
  onClose: () => void;
}

/** Says how it goes on with a node that waits for an operator. */
export function AskResolve({ run, at, choice, onClose }: Props) {
  const [text, setText] = useState("null");
  const { title, button, effect } = SAYS[choice];
  const isDone = choice === "done";
  const problem = isDone ? badJson(text) : null;
  const act = async (why: string) => {
    changed(await resolve(run, { at, choice, why }, isDone ? text : undefined));
    say(`${at}: ${title.toLowerCase()}`);
  };
  return (
    <Ask title={`${title}: ${at}`} button={button} act={act} onClose={onClose} isReady={problem === null} needsReason={choice !== "retry"}
      isDestructive={choice === "skip"} effect={<p>{effect}</p>}
      command={(why) => command(["runs", "resolve", run, at, choice], { ...(isDone ? { input: text } : {}), why })}>
      {isDone && (
        <label className="field">
          <span>What the node gave, as JSON</span>
          <textarea className="input" rows={6} value={text} spellCheck={false} autoFocus onChange={(event) => { setText(event.target.value); }} />
          {problem !== null && <span className="field-bad">{problem}</span>}
        </label>
      )}
    </Ask>
  );
}
