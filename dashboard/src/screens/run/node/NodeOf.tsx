import { useState } from "react";
import { useRights } from "../../../api/me";
import { isOver, type NodeView, type Resolve, type RunRow } from "../../../api/types";
import { AskFork } from "../../../actions/AskFork";
import { AskResolve } from "../../../actions/AskResolve";
import { AskSignal } from "../../../actions/AskSignal";
import { command } from "../../../actions/cli";
import { splitAt } from "../../../plan/scope";
import { Link } from "../../../router/Link";
import { KIND_SAYS, kindName, type PlanNode } from "../../../plan/spec";
import { duration } from "../../../time/format";
import { Copy } from "../../../ui/Copy";
import { Icon } from "../../../ui/icons";
import { Status } from "../../../ui/Status";
import { Clock, Took } from "../../../ui/Time";
import type { RunData } from "../useRun";
import { Calls } from "./Calls";
import { Carried, useCarried } from "./Carried";
import { Inside } from "./Inside";
import { Logs } from "./Logs";

export interface NodeProps {
  data: RunData;
  run: RunRow;
  at: string;
  node: NodeView;
  spec: PlanNode | null;
  onChoose: (at: string) => void;
}

type Asked = { what: "fork"; first: "same" | "input" | "output" } | { what: "signal" } | { what: "resolve"; choice: Resolve["choice"] };

export function NodeOf(props: NodeProps) {
  const { run, at, node, spec } = props;
  const { scope, node: name } = splitAt(at);
  const [asked, setAsked] = useState<Asked | null>(null);
  const input = useCarried(run.id, at, "input", asked?.what === "fork");
  const close = () => { setAsked(null); };
  const signal = spec && typeof spec.kind === "object" && "signal" in spec.kind ? spec.kind.signal.name : undefined;
  return (
    <div className="panel-body">
      <div className="row wrap">
        <Status of={isStuck(props) ? "parked" : node.status} />
        {spec && <span className="quiet small">{KIND_SAYS[kindName(spec.kind)]}</span>}
        <span className="grow" />
        <Copy text={at} what="node" />
        <Copy text={command(["runs", "show", run.id], { within: scope })} what="command" icon="terminal" />
      </div>
      <Said node={node} isStuck={isStuck(props)} />
      <Verbs {...props} onAsk={setAsked} />
      <Facts node={node} spec={spec} isStuck={isStuck(props)} />
      <Inside {...props} />
      <Calls node={node} />
      <Carried run={run.id} at={at} which="input" />
      <Carried run={run.id} at={at} which="output" />
      <Logs run={run.id} at={at} isOn={!isOver(run.status)} />
      {asked?.what === "fork" && <AskFork run={run} node={name} first={asked.first} input={input} onClose={close} />}
      {asked?.what === "signal" && <AskSignal run={run.id} name={signal} scope={scope} onClose={close} />}
      {asked?.what === "resolve" && <AskResolve run={run.id} at={at} choice={asked.choice} onClose={close} />}
    </div>
  );
}

/** What went wrong, in full: this is what most people come for. */
function Said({ node, isStuck }: { node: NodeView; isStuck: boolean }) {
  const failed = node.attempts?.findLast((call) => call.failed);
  const text = node.said ?? (node.status === "failed" || node.status === "parked" || node.status === "retrying" ? failed?.why : undefined);
  if (!text) return null;
  const isBad = node.status === "failed" || node.status === "dropped";
  const tone = isBad ? "bad" : !isStuck && (node.status === "polling" || node.status === "succeeded") ? "wait" : "warn";
  return (
    <div className="said-box" data-tone={tone}>
      <div className="row"><h3 className="grow">{tone === "wait" ? "It said" : "Error"}</h3><Copy text={text} what="error" /></div>
      <pre tabIndex={0}>{text}</pre>
    </div>
  );
}

/** Whether somebody has to decide what becomes of it: its calls failed for good, or it cannot be taken back. */
function isStuck({ data, at, node }: NodeProps): boolean {
  return node.status === "parked" || data.waits.some((item) => item.at === at);
}

function Verbs({ onAsk, ...props }: NodeProps & { onAsk: (asked: Asked) => void }) {
  const { run, at, node } = props;
  const rights = useRights();
  if (!rights.may("operator")) return null;
  // Only the run's own nodes can be forked at; what is inside of one is done again with it.
  const mayFork = splitAt(at).scope === "" && isOver(run.status);
  const isParked = isStuck(props);
  const listens = node.status === "listening";
  if (!mayFork && !isParked && !listens) return null;
  return (
    <div className="row wrap">
      {isParked && <>
        <button type="button" className="button small-button primary" onClick={() => { onAsk({ what: "resolve", choice: "retry" }); }}><Icon name="retry" />Retry</button>
        <button type="button" className="button small-button" onClick={() => { onAsk({ what: "resolve", choice: "skip" }); }}><Icon name="skip" />Skip</button>
        <button type="button" className="button small-button" onClick={() => { onAsk({ what: "resolve", choice: "done" }); }}><Icon name="check" />Mark done</button>
      </>}
      {listens && <button type="button" className="button small-button primary" onClick={() => { onAsk({ what: "signal" }); }}><Icon name="signal" />Signal</button>}
      {mayFork && <>
        <button type="button" className="button small-button" onClick={() => { onAsk({ what: "fork", first: "same" }); }}><Icon name="retry" />Retry from here</button>
        <button type="button" className="button small-button" onClick={() => { onAsk({ what: "fork", first: "input" }); }}><Icon name="fork" />Fork with edited input</button>
      </>}
    </div>
  );
}

function Facts({ node, spec, isStuck }: { node: NodeView; spec: PlanNode | null; isStuck: boolean }) {
  const retries = spec?.retry?.retries;
  return (
    <dl className="facts">
      {node.waits_for != null && !isStuck && <Fact name="Waits for">{node.waits_for}</Fact>}
      {node.worker != null && <Fact name="Worker"><Link to="/workers">{node.worker}</Link></Fact>}
      {node.began_at_ms != null && <Fact name="Began"><Clock at={node.began_at_ms} withDay /></Fact>}
      {node.began_at_ms != null && <Fact name="Took"><Took from={node.began_at_ms} to={node.is_final ? (node.ended_at_ms ?? null) : null} /></Fact>}
      {node.calls > 0 && <Fact name="Calls"><span className="num">{node.calls}{retries ? ` of at most ${retries + 1} attempts` : ""} · {duration(node.busy_ms)} in its code</span></Fact>}
      {spec?.timeout_ms !== undefined && <Fact name="Limit"><span className="num">{duration(spec.timeout_ms)}</span></Fact>}
    </dl>
  );
}

function Fact({ name, children }: { name: string; children: React.ReactNode }) {
  return <><dt>{name}</dt><dd>{children}</dd></>;
}
