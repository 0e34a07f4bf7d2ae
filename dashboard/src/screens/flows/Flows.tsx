import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useRef } from "react";
import { useRights } from "../../api/me";
import { queries } from "../../api/queries";
import type { FlowRow } from "../../api/types";
import { useKeys } from "../../keyboard/keys";
import { Link } from "../../router/Link";
import { path } from "../../router/match";
import { useSearch } from "../../router/router";
import { duration } from "../../time/format";
import { Icon } from "../../ui/icons";
import { Empty, Failed, Loading } from "../../ui/States";
import { look } from "../../ui/status";
import { VirtualList } from "../../ui/VirtualList";
import { percent, successRate } from "./grid";
import "./flows.css";

/** How many of its newest runs stand beside a flow. */
const STRIP = 20;

/** How high a row is, and the headings with the card's edges. */
const ROW = 64;
const HEADS = 38;

/** The flows of the store, and how each goes. */
export default function Flows() {
  const { data, error, refetch } = useQuery(queries.flows());
  const [search, change] = useSearch();
  const text = search.get("q") ?? "";
  const input = useRef<HTMLInputElement>(null);
  useKeys("Flows", [{ keys: "/", says: "Search", run: () => { input.current?.focus(); } }]);
  const flows = (data?.items ?? []).filter((flow) => flow.name.toLowerCase().includes(text.toLowerCase()));
  return (
    <div className="screen flows">
      <header className="screen-head">
        <h1 className="grow">Flows</h1>
        {(data?.items.length ?? 0) > 5 && (
          <label className="search">
            <Icon name="search" />
            <span className="sr">Search</span>
            <input ref={input} className="input" type="search" value={text} placeholder="Name"
              onChange={(event) => { change((search) => { if (event.target.value) search.set("q", event.target.value); else search.delete("q"); }); }} />
          </label>
        )}
      </header>
      {error ? <Failed error={error} onRetry={() => void refetch()} /> : !data ? <Loading /> : flows.length === 0 ? (
        <Empty icon="flows" title={text === "" ? "No flow is known" : "Nothing fits"}>
          A flow is known once a worker that has it was started on this store.
        </Empty>
      ) : (
        <section className="card flow-list" style={{ height: flows.length * ROW + HEADS }}>
          <VirtualList items={flows} height={ROW} label="Flows" keyOf={(flow) => flow.name} row={(flow) => <Line flow={flow} />} head={<Heads />} />
        </section>
      )}
    </div>
  );
}

function Heads() {
  return (
    <div className="flow-row flow-heads" role="row">
      <span role="columnheader">Flow</span>
      <span role="columnheader">Newest runs</span>
      <span role="columnheader" className="right">Succeeded</span>
      <span role="columnheader" className="right">p50</span>
      <span role="columnheader" className="right">p95</span>
      <span role="columnheader"><span className="sr">What can be done</span></span>
    </div>
  );
}

function Line({ flow }: { flow: FlowRow }) {
  const { data } = useQuery({ ...queries.stats(flow.name), placeholderData: keepPreviousData });
  const { may } = useRights();
  const rate = data ? successRate(data) : null;
  return (
    <div className="flow-row">
      <div role="cell" className="flow-name">
        <Link to={path("flows", flow.name)} className="cut">{flow.name}</Link>
        <span className="quiet small cut">
          {flow.nodes == null ? "" : `${flow.nodes} ${flow.nodes === 1 ? "node" : "nodes"}`}
          {flow.plans.length > 1 && ` · ${flow.plans.length} plans`}
          {flow.workers === 0 && <span className="flow-idle" data-tone="warn"> · no worker has its code</span>}
        </span>
      </div>
      <div role="cell"><Strip flow={flow.name} /></div>
      <div role="cell" className="right num flow-rate" data-tone={rate !== null && rate < 0.9 ? "bad" : undefined}>{rate === null ? "–" : percent(rate)}</div>
      <div role="cell" className="right num flow-time">{data?.p50_ms == null ? "–" : duration(data.p50_ms)}</div>
      <div role="cell" className="right num flow-time">{data?.p95_ms == null ? "–" : duration(data.p95_ms)}</div>
      <div role="cell" className="right flow-start">
        {may("operator") && <Link to={path("flows", flow.name, "start")} className="button small-button" aria-label={`Start a run of ${flow.name}`}><Icon name="play" />Start</Link>}
      </div>
    </div>
  );
}

/** The newest runs as small marks, the newest at the right. */
function Strip({ flow }: { flow: string }) {
  const { data, error } = useQuery(queries.newest(flow, STRIP));
  const runs = [...(data?.items ?? [])].reverse();
  if (error && !data) return <span className="field-bad">cannot be read now</span>;
  if (data && runs.length === 0) return <span className="quiet small">no runs yet</span>;
  const failed = runs.filter((run) => run.status === "failed").length;
  return (
    <span className="strip" role="img" aria-label={`${runs.length} newest runs, ${failed} failed`}>
      {runs.map((run) => <span key={run.id} data-tone={look(run.status).tone} data-status={run.status} title={`${run.id}: ${run.status}`} />)}
    </span>
  );
}
