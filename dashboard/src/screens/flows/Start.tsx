import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useId, useMemo, useRef, useState } from "react";
import { startWith, startWithBytes } from "../../api/actions";
import { useRights } from "../../api/me";
import { told } from "../../api/problem";
import { queries } from "../../api/queries";
import type { FlowView, RunRow } from "../../api/types";
import { path } from "../../router/match";
import { navigate, useSearch } from "../../router/router";
import { ago } from "../../time/format";
import { useNow } from "../../time/now";
import { Copy } from "../../ui/Copy";
import { Icon } from "../../ui/icons";
import { Menu } from "../../ui/Menu";
import { say } from "../../ui/say";
import { isRounded } from "../../ui/json/exact";
import { shown } from "../../ui/json/payload";
import { Edit } from "./Edit";
import { Options } from "./Options";
import { noOptions, optionsBody, type StartOptions } from "./options";
import { blank, problemOf, shapeOf } from "./shape";
import { asCommand, parsed, textOf } from "./start";

type Mode = "form" | "json" | "bytes";

const TOO_LARGE = "It has a whole number that is too large for a form.";

const modes: readonly [Mode, string][] = [["form", "Form"], ["json", "JSON"], ["bytes", "Bytes"]];

/** Asks for a run's input and starts it. */
export function Start({ flow }: { flow: FlowView }) {
  const name = flow.flow.name;
  const shape = useMemo(() => shapeOf(flow.input_schema), [flow.input_schema]);
  const [mode, setMode] = useState<Mode>(shape.kind === "any" ? "json" : "form");
  const [value, setValue] = useState<unknown>(() => blank(shape));
  const [text, setText] = useState("");
  const [file, setFile] = useState<File | null>(null);
  const [options, setOptions] = useState<StartOptions>(noOptions);
  const [wrong, setWrong] = useState<string | null>(null);
  // What was filled in from a run begins the form anew: fields keep what was typed in them.
  const [filled, setFilled] = useState(0);
  const client = useQueryClient();

  const take = (input: string) => {
    const found = parsed(input);
    setText(input);
    setWrong(null);
    setFilled((count) => count + 1);
    if (found.isJson && shape.kind !== "any" && !isRounded(input) && problemOf(shape, found.value) === null) {
      setValue(found.value);
      setMode("form");
    } else {
      setMode(found.isJson ? "json" : "bytes");
    }
  };

  const choose = (next: Mode) => {
    setWrong(null);
    if (mode === "form" && next !== "form" && problemOf(shape, value) === null) setText(textOf(value));
    if (next === "form") {
      const found = parsed(text);
      const problem = !found.isJson ? null : isRounded(text) ? TOO_LARGE : problemOf(shape, found.value);
      if (problem !== null && text !== "") { setWrong(`This JSON is not what the form can show. ${problem}`); return; }
      if (found.isJson) setValue(found.value);
    }
    setMode(next);
  };

  const { mutate, isPending, error } = useMutation({
    mutationFn: async () => {
      if (mode === "bytes") return startWithBytes(name, options.id, file ?? text);
      return startWith({ flow: name, ...optionsBody(options) }, mode === "form" ? JSON.stringify(value) : text);
    },
    onSuccess: (run) => {
      say(`${run.id} started`);
      void client.invalidateQueries({ queryKey: ["runs"] });
      navigate(path("runs", run.id));
    },
  });

  const submit = () => {
    const problem = mode === "form" ? problemOf(shape, value) : mode === "json" && !parsed(text).isJson ? "This is no JSON." : optionsBody(options).problem;
    setWrong(problem ?? null);
    if (!problem) mutate();
  };
  const input = mode === "form" ? (problemOf(shape, value) === null ? JSON.stringify(value) : "") : text;
  return (
    <form className="card start" noValidate onSubmit={(event) => { event.preventDefault(); submit(); }}>
      <header className="card-head start-head">
        <h2 className="grow">Start a run</h2>
        <div className="row" role="group" aria-label="How the input is given">
          {modes.map(([key, label]) => (key === "form" && shape.kind === "any") ? null : (
            <button key={key} type="button" className="chip" aria-pressed={mode === key} onClick={() => { choose(key); }}>{label}</button>
          ))}
        </div>
        <LastInputs flow={name} onTake={take} />
      </header>
      <div className="card-body stack start-body">
        {mode === "form" && <Edit key={filled} shape={shape} value={value} label="" onChange={setValue} />}
        {mode === "json" && <JsonText value={text} onChange={setText} />}
        {mode === "bytes" && <BytesInput text={text} file={file} onText={setText} onFile={setFile} />}
        <Options options={options} onChange={setOptions} isOnlyId={mode === "bytes"} />
        {(wrong !== null || error !== null) && (
          <div className="note" data-tone="bad" role="alert"><Icon name="attention" /><p className="grow">{wrong ?? told(error).detail}</p></div>
        )}
      </div>
      <footer className="start-foot">
        <button type="submit" className="button primary" disabled={isPending}><Icon name="play" />Start</button>
        {mode !== "bytes" && input !== "" && <Copy text={asCommand(name, input, options)} what="command" icon="terminal">Copy the command</Copy>}
      </footer>
    </form>
  );
}

function JsonText({ value, onChange }: { value: string; onChange: (text: string) => void }) {
  const id = useId();
  return (
    <div className="field">
      <label className="field-name" htmlFor={id}>Input, as JSON</label>
      <textarea id={id} className="input start-json" value={value} spellCheck={false} placeholder="null" onChange={(event) => { onChange(event.target.value); }} />
    </div>
  );
}

function BytesInput({ text, file, onText, onFile }: { text: string; file: File | null; onText: (text: string) => void; onFile: (file: File | null) => void }) {
  const id = useId();
  return (
    <>
      <div className="field">
        <label className="field-name" htmlFor={id}>Input, as it is</label>
        <textarea id={id} className="input start-json" value={text} disabled={file !== null} spellCheck={false} onChange={(event) => { onText(event.target.value); }} />
      </div>
      <div className="field">
        <label className="field-name" htmlFor={`${id}f`}>or a file</label>
        <input id={`${id}f`} className="input" type="file" onChange={(event) => { onFile(event.target.files?.[0] ?? null); }} />
      </div>
    </>
  );
}

/** The inputs of the newest runs, to begin with; for those who may see what runs carry. `?from=RUN` takes one at once. */
function LastInputs({ flow, onTake }: { flow: string; onTake: (text: string) => void }) {
  const { may } = useRights();
  const [search] = useSearch();
  const from = search.get("from");
  const client = useQueryClient();
  const now = useNow();
  const canSee = may("payload:read");
  const { data } = useQuery({ ...queries.newest(flow, 10), enabled: canSee });
  // Of two that were asked for, the last counts, whichever comes first.
  const wanted = useRef("");
  const take = async (run: string) => {
    wanted.current = run;
    try {
      const { bytes } = await client.fetchQuery(queries.payload(run, "input"));
      if (wanted.current === run) onTake(shown(bytes).text);
    } catch (error) {
      if (wanted.current === run) say(`The input of ${run} cannot be had. ${told(error).detail}`, true);
    }
  };
  useEffect(() => {
    if (from !== null && canSee) void take(from);
    // eslint-disable-next-line react-hooks/exhaustive-deps -- once for each run that the address names
  }, [from, canSee]);
  const runs = data?.items ?? [];
  if (!canSee || runs.length === 0) return null;
  const label = (run: RunRow) => `${run.id} · ${run.status} · ${ago(run.started_at_ms, now)}`;
  return (
    <Menu label="Fill in the input of a run" items={runs.map((run) => ({ label: label(run), run: () => void take(run.id) }))}>
      <Icon name="clock" />Last inputs
    </Menu>
  );
}
