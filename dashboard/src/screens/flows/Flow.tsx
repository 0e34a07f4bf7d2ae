import { useQuery } from "@tanstack/react-query";
import { Suspense, lazy } from "react";
import { useRights } from "../../api/me";
import { queries } from "../../api/queries";
import type { FlowStats, FlowView } from "../../api/types";
import { asPlan } from "../../plan/spec";
import { Link } from "../../router/Link";
import { path } from "../../router/match";
import { useSearch } from "../../router/router";
import { count, duration } from "../../time/format";
import { Copy, Copyable } from "../../ui/Copy";
import { Icon } from "../../ui/icons";
import { Failed, Loading } from "../../ui/States";
import { Tabs } from "../../ui/Tabs";
import { percent, successRate } from "./grid";
import { Plans } from "./Plans";
import { RunGrid } from "./RunGrid";
import { Start } from "./Start";
import "./flows.css";

const Drawing = lazy(() => import("./Drawing"));

/** A flow: how its runs go, what it looks like, and a form that starts a run. */
export default function FlowScreen({ parts }: { parts: Record<string, string> }) {
  const name = parts.name ?? "";
  const { data, error, refetch } = useQuery(queries.flow(name));
  if (error) return <div className="screen"><Failed error={error} onRetry={() => void refetch()} /></div>;
  if (!data) return <div className="screen"><Loading /></div>;
  return <Shown flow={data} tab={parts.tab ?? "runs"} />;
}

function Shown({ flow, tab }: { flow: FlowView; tab: string }) {
  const { name, plan, plans } = flow.flow;
  const { may } = useRights();
  const [search] = useSearch();
  const chosen = search.get("plan") ?? plan ?? plans.at(-1);
  const drawn = asPlan(useQuery({ ...queries.plan(name, chosen), enabled: chosen !== undefined }).data);
  const to = (tab?: string) => (tab ? path("flows", name, tab) : path("flows", name));
  const tabs = [
    { key: "runs", label: "Runs × nodes", to: to() },
    { key: "graph", label: "Graph", to: to("graph") },
    { key: "plans", label: "Plans", to: to("plans"), count: plans.length > 1 ? plans.length : undefined },
    ...(may("operator") ? [{ key: "start", label: "Start", to: to("start") }] : []),
  ];
  return (
    <div className="screen stack">
      <Head flow={flow} canStart={may("operator") && tab !== "start"} />
      <Figures name={name} />
      <Tabs tabs={tabs} chosen={tab} label="The flow" />
      {tab === "graph" ? (
        <section className="card flow-graph">
          {chosen !== plan && chosen !== undefined && <p className="card-head">Plan <code>{chosen}</code>, which new runs do not follow.</p>}
          {drawn ? <Suspense fallback={<Loading />}><Drawing plan={drawn} /></Suspense> : <Loading />}
        </section>
      ) : tab === "plans" ? <Plans flow={flow} />
        : tab === "start" ? <Start key={name} flow={flow} />
          : <section className="card"><RunGrid flow={name} /></section>}
    </div>
  );
}

function Head({ flow, canStart }: { flow: FlowView; canStart: boolean }) {
  const { name, plan, workers } = flow.flow;
  return (
    <header className="screen-head flow-head">
      <div className="grow">
        <p className="quiet small"><Link to="/flows" className="crumb">Flows</Link></p>
        <h1><Copyable text={name} what="name" /></h1>
        <p className="quiet small row wrap">
          {plan ? <>plan <span className="copyable"><code title={plan}>{plan.slice(0, 8)}</code><Copy text={plan} what="plan hash" /></span></> : "nobody says which plan new runs follow"}
          <span>·</span>{workers === 0 ? <span className="flow-idle" data-tone="warn">no worker has its code</span> : `${workers} ${workers === 1 ? "worker" : "workers"}`}
          {flow.signals.length > 0 && <><span>·</span>waits for {flow.signals.join(", ")}</>}
        </p>
      </div>
      <Link to={`/runs?flow=${encodeURIComponent(name)}`} className="button"><Icon name="runs" />Its runs</Link>
      {canStart && <Link to={path("flows", name, "start")} className="button primary"><Icon name="play" />Start a run</Link>}
    </header>
  );
}

function Figures({ name }: { name: string }) {
  const { data } = useQuery(queries.stats(name));
  const rate = data ? successRate(data) : null;
  return (
    <dl className="figures" aria-label="The newest runs in figures">
      <Figure name="Succeeded" value={rate === null ? "–" : percent(rate)} note={data ? endedNote(data) : ""} tone={rate !== null && rate < 0.9 ? "bad" : undefined} />
      <Figure name="Half took at most" value={data?.p50_ms == null ? "–" : duration(data.p50_ms)} note="p50 from start to end" />
      <Figure name="95 of 100 at most" value={data?.p95_ms == null ? "–" : duration(data.p95_ms)} note="p95, waits included" />
      <Figure name="Under way" value={data ? count(data.unfinished) : "–"} note={data ? `of the newest ${count(data.runs)}` : ""} />
    </dl>
  );
}

function endedNote(stats: FlowStats): string {
  const parts = [`${count(stats.succeeded)} of ${count(stats.succeeded + stats.failed + stats.stopped)}`];
  if (stats.failed > 0) parts.push(`${count(stats.failed)} failed`);
  if (stats.stopped > 0) parts.push(`${count(stats.stopped)} stopped`);
  return parts.join(", ");
}

function Figure({ name, value, note, tone }: { name: string; value: string; note: string; tone?: string | undefined }) {
  return (
    <div className="card figure" data-tone={tone}>
      <dt className="quiet small">{name}</dt>
      <dd><span className="figure-value num">{value}</span> <span className="quiet small">{note}</span></dd>
    </div>
  );
}
