import { useRights } from "../../api/me";
import type { RunRow } from "../../api/types";
import { command } from "../../actions/cli";
import { VERBS, type RunVerb } from "../../actions/verbs";
import { Link } from "../../router/Link";
import { href } from "../../router/router";
import { path } from "../../router/match";
import { Copy } from "../../ui/Copy";
import { Icon } from "../../ui/icons";
import { Menu } from "../../ui/Menu";
import { Status } from "../../ui/Status";
import { Ago, Took } from "../../ui/Time";
import type { RunData } from "./useRun";
import { failedAt, ownWords } from "./where";

/** Shown as buttons of their own, when they fit; the others are in a menu. */
const FIRST: readonly RunVerb[] = ["resume", "retry", "pause", "stop"];

interface Props {
  data: RunData;
  run: RunRow;
  onVerb: (verb: RunVerb) => void;
}

export function RunHead({ data, run, onVerb }: Props) {
  const place = path("runs", run.id);
  return (
    <header className="run-head">
      <div className="row run-title">
        <h1 className="cut" title={run.id}>{run.id}</h1>
        <Copy text={run.id} what="id" />
        <Status of={run.status} />
        <span className="grow" />
        <Verbs run={run} onVerb={onVerb} />
      </div>
      <div className="row wrap run-facts">
        <Link to={path("flows", run.flow)} className="fact"><Icon name="flows" size={14} />{run.flow}</Link>
        <span className="fact" title="When it began"><Icon name="clock" size={14} /><Ago at={run.started_at_ms} /></span>
        <span className="fact"><span className="quiet">took</span> <Took from={run.started_at_ms} to={run.ended_at_ms} /></span>
        {run.key != null && <span className="fact"><span className="quiet">key</span> {run.key}</span>}
        {run.lane != null && <span className="fact"><span className="quiet">lane</span> {run.lane}</span>}
        {Object.entries(run.labels ?? {}).map(([key, value]) => (
          <Link key={key} to={`/runs?label=${encodeURIComponent(`${key}:${value}`)}`} className="chip label-chip"><span className="quiet">{key}</span>{value}</Link>
        ))}
        <span className="grow" />
        <Copy text={new URL(href(place), location.href).href} what="link" icon="link" />
        <Copy text={command(["runs", "show", run.id])} what="command" icon="terminal" />
      </div>
      {run.origin && (
        <p className="small quiet run-origin">
          a {run.origin.verb} of <Link to={path("runs", run.origin.run)}>{run.origin.run}</Link> by {run.origin.by}{run.origin.why && <>: {run.origin.why}</>}
        </p>
      )}
      <Why data={data} run={run} />
    </header>
  );
}

function Verbs({ run, onVerb }: { run: RunRow; onVerb: (verb: RunVerb) => void }) {
  const rights = useRights();
  const fitting = VERBS.filter(({ fits, right }) => fits(run.status) && rights.may(right));
  const first = fitting.filter(({ verb }) => FIRST.includes(verb)).slice(0, 2);
  const others = fitting.filter((one) => !first.includes(one));
  return (
    <>
      {first.map(({ verb, label, icon }) => (
        <button key={verb} type="button" className={verb === "retry" || verb === "resume" ? "button primary" : "button"} onClick={() => { onVerb(verb); }}>
          <Icon name={icon} /><span className="verb-word">{label}</span>
        </button>
      ))}
      {others.length > 0 && (
        <Menu label="More actions" items={others.map(({ verb, label, icon, isDestructive }) => ({ label, icon, isBad: isDestructive, run: () => { onVerb(verb); } }))} />
      )}
    </>
  );
}

/** Why it failed, was stopped or waits, in one line. */
function Why({ data, run }: { data: RunData; run: RunRow }) {
  if (run.status === "failed" && run.failure) {
    const at = failedAt(run.failure);
    return (
      <p className="note run-why" data-tone="bad">
        <Icon name="cross" />
        <span className="cut">{at && <><Link to={`${path("runs", run.id)}?node=${encodeURIComponent(at)}`}><code>{at}</code></Link>{" "}</>}{ownWords(run.failure.text).split("\n", 1)}</span>
      </p>
    );
  }
  if (run.stopped) {
    return <p className="note run-why" data-tone="idle"><Icon name="stop" /><span className="cut">stopped by {run.stopped.by}{run.stopped.why && <>: {run.stopped.why}</>}</span></p>;
  }
  const waits = data.waits[0];
  if (waits) {
    const at = waits.at ?? "";
    return (
      <p className="note run-why" data-tone="warn">
        <Icon name="attention" />
        <span className="cut">
          <Link to={`${path("runs", run.id)}?node=${encodeURIComponent(at)}`}><code>{at}</code></Link> waits for a decision: {waits.why.split("\n", 1)}
          {data.waits.length > 1 && <>, and {data.waits.length - 1} more</>}
        </span>
      </p>
    );
  }
  const missing = data.view?.missing ?? [];
  if (missing.length > 0) {
    return <p className="note run-why" data-tone="warn"><Icon name="attention" /><span className="cut">no worker has the code of {missing.join(", ")}</span></p>;
  }
  return null;
}
