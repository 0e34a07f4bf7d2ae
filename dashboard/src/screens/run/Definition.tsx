import { command } from "../../actions/cli";
import { Command } from "../../actions/Ask";
import { KIND_SAYS, kindName, parents, type PlanNode } from "../../plan/spec";
import { Link } from "../../router/Link";
import { path } from "../../router/match";
import { duration } from "../../time/format";
import { Copyable } from "../../ui/Copy";
import { Json } from "../../ui/json/Json";
import { Empty } from "../../ui/States";
import type { RunData } from "./useRun";

/** The plan that the run follows. It never changes: its hash is its name. */
export default function Definition({ data }: { data: RunData }) {
  const { plan, run } = data;
  if (!run) return null;
  if (!plan) return <Empty title="The plan of this run is not stored" />;
  return (
    <div className="stack pad">
      <div className="row wrap">
        <span className="quiet">Plan</span> <Copyable text={run.plan} what="plan hash" />
        <span className="quiet">of</span> <Link to={path("flows", run.flow)}>{run.flow}</Link>
        <span className="quiet num">· {plan.nodes.length} nodes{plan.timeout_ms ? ` · at most ${duration(plan.timeout_ms)}` : ""}</span>
      </div>
      <Command text={command(["flows", "show", run.flow], { plan: run.plan })} />
      {plan.nodes.length <= 500 && (
        <div className="card table-box" tabIndex={0}>
          <table className="table">
            <thead><tr><th>Node</th><th>Kind</th><th>After</th><th>Retries</th><th>Limits</th><th>Notes</th></tr></thead>
            <tbody>{plan.nodes.map((node) => <Row key={node.name} node={node} />)}</tbody>
          </table>
        </div>
      )}
      <section className="card">
        <div className="card-head"><h2>As it is stored</h2></div>
        <div className="card-body"><Json value={plan} /></div>
      </section>
    </div>
  );
}

function Row({ node }: { node: PlanNode }) {
  const limits = [
    node.attempt_timeout_ms && `an attempt ${duration(node.attempt_timeout_ms)}`,
    node.timeout_ms && `all ${duration(node.timeout_ms)}`,
  ].filter(Boolean);
  const notes = [
    node.undo !== undefined && "can be undone", node.rescue && "on_failure", node.isolated && "isolated",
    node.on_exhausted && `then: ${node.on_exhausted}`, node.lane && `lane ${node.lane}`, node.child && `runs ${node.child}`,
  ].filter(Boolean);
  return (
    <tr>
      <td><code>{node.name}</code></td>
      <td data-label="Kind">{KIND_SAYS[kindName(node.kind)]}</td>
      <td data-label="After" className="quiet">{parents(node).join(", ") || "the start"}</td>
      <td data-label="Retries" className="num">{node.retry?.retries ?? 0}</td>
      <td data-label="Limits" className="num">{limits.join(", ")}</td>
      <td data-label="Notes" className="quiet">{notes.join(", ")}</td>
    </tr>
  );
}
