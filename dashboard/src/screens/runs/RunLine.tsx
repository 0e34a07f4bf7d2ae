import { memo } from "react";
import type { RunRow } from "../../api/types";
import { Link } from "../../router/Link";
import { path } from "../../router/match";
import { Copy } from "../../ui/Copy";
import { Status } from "../../ui/Status";
import { Ago, Took } from "../../ui/Time";
import { failedAt, ownWords } from "../run/where";

export function RunHeadings({ isAll, onAll }: { isAll: boolean; onAll: () => void }) {
  return (
    <div className="run-line run-headings" role="row">
      <span role="columnheader"><input type="checkbox" aria-label="Pick all that are shown" checked={isAll} onChange={onAll} /></span>
      <span role="columnheader">Status</span>
      <span role="columnheader">Run</span>
      <span role="columnheader">Flow</span>
      <span role="columnheader" className="wide-only">What happened</span>
      <span role="columnheader">Began</span>
      <span role="columnheader">Took</span>
    </div>
  );
}

interface Props {
  run: RunRow;
  isPicked: boolean;
  /** Whether the keyboard is at it. */
  isAt: boolean;
  onPick: (id: string) => void;
}

export const RunLine = memo(function RunLine({ run, isPicked, isAt, onPick }: Props) {
  return (
    <div className="run-line" data-at={isAt} data-picked={isPicked}>
      <span role="cell" className="run-pick"><input type="checkbox" aria-label={`Pick ${run.id}`} checked={isPicked} onChange={() => { onPick(run.id); }} /></span>
      <span role="cell" className="run-status"><Status of={run.status} /></span>
      <span role="cell" className="run-id"><Link className="cut" to={path("runs", run.id)} title={run.id}>{run.id}</Link><Copy text={run.id} what="id" /></span>
      <span role="cell" className="run-flow cut" title={run.flow}>{run.flow}</span>
      <span role="cell" className="run-said cut"><What run={run} /></span>
      <span role="cell" className="run-began quiet"><Ago at={run.started_at_ms} /></span>
      <span role="cell" className="run-took"><Took from={run.started_at_ms} to={run.ended_at_ms} /></span>
    </div>
  );
});

/** What went wrong, or what it is labelled with. */
function What({ run }: { run: RunRow }) {
  if (run.failure) {
    const at = failedAt(run.failure);
    return <span className="run-error" title={run.failure.text}>{at !== null && <code>{at}</code>} {ownWords(run.failure.text).split("\n", 1)}</span>;
  }
  if (run.stopped) return <span className="quiet">stopped by {run.stopped.by}{run.stopped.why && `: ${run.stopped.why}`}</span>;
  return (
    <span className="run-labels">
      {Object.entries(run.labels ?? {}).map(([key, value]) => (
        <Link key={key} className="label" to={`/runs?label=${encodeURIComponent(`${key}:${value}`)}`}><span>{key}</span> {value}</Link>
      ))}
    </span>
  );
}
