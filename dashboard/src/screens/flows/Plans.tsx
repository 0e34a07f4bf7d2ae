import { useQuery } from "@tanstack/react-query";
import { queries } from "../../api/queries";
import type { FlowView } from "../../api/types";
import { asPlan } from "../../plan/spec";
import { Link } from "../../router/Link";
import { path } from "../../router/match";
import { useSearch } from "../../router/router";
import { Copyable } from "../../ui/Copy";
import { Loading } from "../../ui/States";
import { difference } from "./plans";

/** The plans of a flow that are stored, and how another one differs from the one that new runs follow. */
export function Plans({ flow }: { flow: FlowView }) {
  const { name, plan: current, plans } = flow.flow;
  const workers = useQuery(queries.workers());
  const [search, change] = useSearch();
  const compared = search.get("compared");
  const serving = (plan: string) => workers.data?.workers.filter((worker) => worker.is_alive && worker.serves.includes(plan)).length ?? 0;
  return (
    <section className="card">
      <div className="table-box" tabIndex={0} role="region" aria-label="Table of plans">
        <table className="table">
          <thead><tr><th>Plan</th><th>Followed by</th><th>Workers that have its code</th><th><span className="sr">What can be done</span></th></tr></thead>
          <tbody>
            {plans.map((plan) => (
              <tr key={plan}>
                <td><Copyable text={plan} what="hash of the plan" /></td>
                <td data-label="Followed by">{plan === current ? <b>new runs</b> : <span className="quiet">older runs, if any</span>}</td>
                <td data-label="Workers that have its code" className="num">{serving(plan)}</td>
                <td className="row plan-verbs">
                  <Link className="button small-button" to={`${path("flows", name, "graph")}?plan=${plan}`}>Graph</Link>
                  {current && plan !== current && (
                    <button type="button" className="button small-button" aria-pressed={compared === plan}
                      onClick={() => { change((next) => { if (compared === plan) next.delete("compared"); else next.set("compared", plan); }); }}>Compare</button>
                  )}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {compared && current && plans.includes(compared) && <Compared flow={name} before={compared} after={current} />}
    </section>
  );
}

function Compared({ flow, before, after }: { flow: string; before: string; after: string }) {
  const old = asPlan(useQuery(queries.plan(flow, before)).data);
  const now = asPlan(useQuery(queries.plan(flow, after)).data);
  if (!old || !now) return <Loading />;
  const { added, gone, changed } = difference(old, now);
  const isSame = added.length + gone.length + changed.length === 0;
  return (
    <div className="card-body plan-diff">
      <h2>From <code>{before.slice(0, 8)}</code> to <code>{after.slice(0, 8)}</code></h2>
      {isSame && <p className="quiet">The nodes are the same; something about the whole differs.</p>}
      <ul>
        {added.map((node) => <li key={node} data-tone="ok"><b aria-hidden="true">+</b> <span className="sr">new: </span>{node}</li>)}
        {gone.map((node) => <li key={node} data-tone="bad"><b aria-hidden="true">−</b> <span className="sr">gone: </span>{node}</li>)}
        {changed.map(({ node, what }) => <li key={node} data-tone="warn"><b aria-hidden="true">~</b> <span className="sr">changed: </span>{node}<span className="quiet"> {what.join("; ")}</span></li>)}
      </ul>
    </div>
  );
}
