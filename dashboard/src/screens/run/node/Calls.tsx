import { useState } from "react";
import type { CallView, NodeView } from "../../../api/types";
import { duration } from "../../../time/format";
import { Clock } from "../../../ui/Time";
import { StatusDot } from "../../../ui/Status";

const KINDS: Record<string, string> = { attempt: "attempt", poll: "poll", rescue: "on_failure", fold: "fold", undo: "undo", hook: "call" };
/** Polls are many and alike: the last of them are shown, and the others if asked for. */
const SHOWN_POLLS = 5;

/** Every call of the node's code: what came of it, how long it took, and how long was waited before it. */
export function Calls({ node }: { node: NodeView }) {
  const [isAll, setAll] = useState(false);
  const all = (node.attempts ?? []).map((call, at, list) => ({ call, waited: waitedBefore(call, list[at - 1] ?? null, node.began_at_ms ?? null) }));
  if (all.length === 0) return null;
  const polls = all.filter(({ call }) => call.kind === "poll").length;
  let skip = isAll ? 0 : Math.max(0, polls - SHOWN_POLLS);
  const hidden = skip;
  const shown = all.filter(({ call }) => call.kind !== "poll" || skip-- <= 0);
  return (
    <section>
      <h3>Calls</h3>
      <ol className="calls">
        {shown.map(({ call, waited }) => <Call key={`${call.kind} ${call.number} ${call.ended_at_ms}`} call={call} waited={waited} />)}
      </ol>
      {hidden > 0 && <button type="button" className="button small-button" onClick={() => { setAll(true); }}>{hidden} earlier polls</button>}
    </section>
  );
}

function Call({ call, waited }: { call: CallView; waited: number }) {
  const isOpen = call.kind === "poll" && call.why != null;
  return (
    <li className="call">
      <div className="row">
        <StatusDot of={call.failed ? "failed" : isOpen ? "polling" : call.kind === "undo" ? "undone" : "succeeded"} />
        <span className="grow">{KINDS[call.kind] ?? call.kind} {call.number}</span>
        {waited >= 1 && <span className="quiet small num" title="Waited before it">after {duration(waited)}</span>}
        <span className="num">{duration(call.took_us / 1000)}</span>
        <span className="quiet small"><Clock at={call.ended_at_ms} /></span>
      </div>
      {call.why != null && <pre className="call-why">{call.why}</pre>}
    </li>
  );
}

/** How long lay between the call before and this one: back-off, an interval, or the queue. */
function waitedBefore(call: CallView, before: CallView | null, began: number | null): number {
  const since = before?.ended_at_ms ?? began;
  return since === null ? 0 : Math.max(0, call.ended_at_ms - call.took_us / 1000 - since);
}
