// One run: what it is, where it stands, and the views of it.
import { lazy, Suspense, useState } from "react";
import { isMissing } from "../../api/problem";
import { useKeys } from "../../keyboard/keys";
import { path } from "../../router/match";
import { navigate, useSearch } from "../../router/router";
import { Empty, Failed, Loading } from "../../ui/States";
import { Tabs } from "../../ui/Tabs";
import { AskVerb } from "../../actions/AskVerb";
import { says, type RunVerb } from "../../actions/verbs";
import { NodePanel } from "./node/NodePanel";
import { preview } from "./preview";
import { RunGraph } from "./RunGraph";
import { RunHead } from "./RunHead";
import { useRun, type RunData } from "./useRun";
import { opensOn } from "./where";
import "./run.css";

const Timeline = lazy(() => import("./timeline/Timeline"));
const Events = lazy(() => import("./events/Events"));
const Payloads = lazy(() => import("./Payloads"));
const Context = lazy(() => import("./Context"));
const Definition = lazy(() => import("./Definition"));

const TABS = [
  { key: "", label: "Graph", hint: "g" },
  { key: "timeline", label: "Timeline", hint: "t" },
  { key: "events", label: "Events", hint: "e" },
  { key: "data", label: "Input & output", hint: "i" },
  { key: "context", label: "Context", hint: "c" },
  { key: "definition", label: "Definition", hint: "d" },
] as const;

/** The views beside which a run that failed is open on what it failed at. */
const OPENS = new Set(["", "timeline"]);

export default function Run({ parts }: { parts: Record<string, string> }) {
  const { id = "", tab = "" } = parts;
  return <RunOf key={id} id={id} tab={tab} />;
}

function RunOf({ id, tab }: { id: string; tab: string }) {
  const data = useRun(id);
  const [verb, setVerb] = useState<RunVerb | null>(null);
  const [search, change] = useSearch();
  const { run, waits } = data;
  // Until somebody chose a node, or none, a run that failed is open on what it failed at.
  const chosen = search.has("node") ? search.get("node") || null : run && OPENS.has(tab) ? opensOn(run, waits) : null;
  const choose = (at: string | null) => { change((next) => { next.set("node", at ?? ""); next.delete("line"); }); };
  const keep = search.has("node") ? `?node=${encodeURIComponent(search.get("node") ?? "")}` : "";
  const to = (key: string) => path(...["runs", id, key].filter(Boolean)) + keep;
  useRunKeys(to, data, setVerb, () => { choose(null); });
  if (data.error && !run) {
    if (isMissing(data.error)) return <div className="screen"><h1 className="cut">There is no run {id}</h1><Empty title="It may have been deleted, or its id may be cut short" /></div>;
    return <Failed error={data.error} onRetry={data.again} />;
  }
  if (!run) return <Loading lines={6} />;
  return (
    <div className="run">
      <RunHead data={data} run={run} onVerb={setVerb} />
      <Tabs label="Views of the run" chosen={tab} tabs={TABS.map(({ key, label }) => ({ key, label, to: to(key) }))} />
      <div className="run-body" data-open={chosen !== null}>
        <div className="run-view">
          <Suspense fallback={<Loading />}><View tab={tab} data={data} chosen={chosen} choose={choose} /></Suspense>
        </div>
        {chosen !== null && <NodePanel key={chosen} data={data} run={run} at={chosen} onClose={() => { choose(null); }} onChoose={choose} />}
      </div>
      {verb && <AskVerb run={run} verb={verb} preview={preview(verb, data)} onClose={() => { setVerb(null); }} />}
    </div>
  );
}

export interface ViewProps {
  data: RunData;
  chosen: string | null;
  choose: (at: string | null) => void;
}

function View({ tab, ...props }: ViewProps & { tab: string }) {
  switch (tab) {
    case "": return <RunGraph {...props} />;
    case "timeline": return <Timeline {...props} />;
    case "events": return <Events {...props} />;
    case "data": return <Payloads data={props.data} />;
    case "context": return <Context data={props.data} />;
    case "definition": return <Definition data={props.data} />;
    default: return <Empty title="A run has no such view" />;
  }
}

function useRunKeys(to: (key: string) => string, { run }: RunData, setVerb: (verb: RunVerb) => void, close: () => void): void {
  const ask = (verb: RunVerb) => () => { if (run && says(verb).fits(run.status)) setVerb(verb); };
  useKeys("This run", [
    { keys: "r", says: "Retry it, if it failed", run: ask("retry") },
    { keys: "p", says: run?.status === "paused" ? "Resume it" : "Pause it", run: ask(run?.status === "paused" ? "resume" : "pause") },
    { keys: "s", says: "Stop it", run: ask("stop") },
    { keys: "Escape", says: "Close the node", run: close },
    ...TABS.map(({ key, label, hint }) => ({ keys: `v ${hint}`, says: label, run: () => { navigate(to(key)); } })),
  ]);
}
