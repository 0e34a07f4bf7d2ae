// How the whole stands: what runs, what came of it lately, what waits, and what waits for somebody.
import { useQuery } from "@tanstack/react-query";
import { isForbidden } from "../../api/problem";
import { queries } from "../../api/queries";
import { RUN_STATUSES, type Figures, type RunStatus } from "../../api/types";
import { useStale } from "../../live/useAgain";
import { useLive } from "../../live/useLive";
import { Link } from "../../router/Link";
import { useSearch } from "../../router/router";
import { clock, count, duration } from "../../time/format";
import { useZone } from "../../time/zone";
import { Bars } from "../../ui/chart/Bars";
import { Lines } from "../../ui/chart/Lines";
import { Failed, Loading } from "../../ui/States";
import { look } from "../../ui/status";
import { Needs } from "./Needs";
import { Waiting } from "./Waiting";
import "./overview.css";

const WINDOWS = [
  { key: "15m", label: "15 min", minutes: 15, buckets: 30 },
  { key: "1h", label: "1 hour", minutes: 60, buckets: 60 },
  { key: "24h", label: "24 hours", minutes: 1440, buckets: 48 },
] as const;

/** How often the figures are asked for. */
const FIGURES_EVERY = 5_000;
/** What the stream says makes these stale, so often at most. */
const STALE = [["counts"], ["attention"], ["queues"]];
const EVERY = 1_000;

export default function Overview() {
  const [search, change] = useSearch();
  const window = WINDOWS.find(({ key }) => key === search.get("window")) ?? WINDOWS[1];
  useLive(null, useStale(STALE, EVERY));
  const found = useQuery({ ...queries.figures(window.minutes, window.buckets), refetchInterval: FIGURES_EVERY });
  return (
    <div className="screen stack">
      <header className="row wrap">
        <h1 className="grow">Overview</h1>
        <div className="row" role="group" aria-label="Time">
          {WINDOWS.map((one) => (
            <button key={one.key} type="button" className="chip" aria-pressed={one.key === window.key} onClick={() => { change((next) => { next.set("window", one.key); }); }}>{one.label}</button>
          ))}
        </div>
      </header>
      <Tiles />
      <div className="overview">
        {found.error && !found.data ? <Failed error={found.error} onRetry={() => void found.refetch()} /> : found.data ? <Charts of={found.data} /> : <Loading />}
        <Waiting />
        <Needs />
      </div>
    </div>
  );
}

/** How many runs there are of each status; each leads to them. */
function Tiles() {
  const { data, error } = useQuery(queries.counts());
  // Who sees some flows only is told no counts of all.
  if (isForbidden(error)) return null;
  return (
    <ul className="tiles">
      {RUN_STATUSES.map((status) => <Tile key={status} status={status} of={data?.runs[status]} />)}
    </ul>
  );
}

function Tile({ status, of }: { status: RunStatus; of: number | undefined }) {
  const { tone, sign } = look(status);
  return (
    <li>
      <Link to={`/runs?status=${status}`} className="tile" data-tone={tone} data-none={of === 0}>
        <span className="tile-count num">{of === undefined ? "–" : count(of)}</span>
        <span className="tile-name"><span aria-hidden="true">{sign}</span> {status.replace("-", " ")}</span>
      </Link>
    </li>
  );
}

function Charts({ of }: { of: Figures }) {
  const zone = useZone();
  const at = (index: number) => `from ${clock(of.since_ms + index * of.step_ms, zone)}, ${duration(of.step_ms)}`;
  const marks = [0.1, 0.5, 0.9].map((part) => {
    const index = Math.floor(of.succeeded.length * part);
    return { index, text: clock(of.since_ms + index * of.step_ms, zone).slice(0, 5) };
  });
  const ended = sum(of.succeeded) + sum(of.failed);
  const success = ended === 0 ? null : sum(of.succeeded) / ended;
  return (
    <>
      <section className="card chart-card" aria-labelledby="throughput">
        <div className="card-head">
          <h2 id="throughput" className="grow">Runs that ended</h2>
          {success !== null && <span className="num small"><strong>{percent(success)}</strong> <span className="quiet">succeeded</span></span>}
        </div>
        <div className="card-body">
          <Bars label="Runs that ended, by when" at={at} marks={marks} format={count} series={[
            { name: "succeeded", tone: "ok", values: of.succeeded },
            { name: "stopped", tone: "idle", values: of.stopped },
            { name: "failed", tone: "bad", values: of.failed },
          ]} />
          {of.is_partial && <p className="small quiet">Counted from the newest runs: there were more.</p>}
        </div>
      </section>
      <section className="card chart-card" aria-labelledby="began">
        <div className="card-head"><h2 id="began">Runs that began</h2></div>
        <div className="card-body"><Bars label="Runs that began, by when" at={at} marks={marks} format={count} series={[{ name: "began", tone: "run", values: of.started }]} /></div>
      </section>
      <section className="card chart-card" aria-labelledby="took">
        <div className="card-head"><h2 id="took">How long they took</h2></div>
        <div className="card-body">
          <Lines label="How long runs took: half of them, and 95 of 100" format={duration} series={[
            { name: "95 of 100 at most", tone: "wait", values: of.p95_ms },
            { name: "half at most", tone: "run", values: of.p50_ms },
          ]} />
        </div>
      </section>
    </>
  );
}

function sum(counts: readonly number[]): number {
  return counts.reduce((all, one) => all + one, 0);
}

/** Never 100 % while one failed. */
function percent(part: number): string {
  const value = part * 100;
  return `${value === 100 ? 100 : Math.min(99.9, Math.round(value * 10) / 10)} %`;
}
