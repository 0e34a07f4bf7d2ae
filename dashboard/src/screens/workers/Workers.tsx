import { useQuery } from "@tanstack/react-query";
import { queries } from "../../api/queries";
import type { QueueRow, WorkerRow } from "../../api/types";
import { Link } from "../../router/Link";
import { path } from "../../router/match";
import { count, duration } from "../../time/format";
import { useNow } from "../../time/now";
import { Copy, Copyable } from "../../ui/Copy";
import { Empty, Failed, Loading } from "../../ui/States";
import { flowsByPlan, isLate, sortedQueues, sortedWorkers, type FlowsByPlan } from "./workers";
import "./workers.css";

/** How often it is looked at again. Neither heartbeats nor queues tell of themselves. */
const LOOK = 2_000;

/** Who works, and what waits for them. */
export default function WorkersScreen() {
  return (
    <div className="screen stack">
      <h1>Workers and queues</h1>
      <Fleet />
      <Queues />
    </div>
  );
}

function Fleet() {
  const { data, error, refetch } = useQuery({ ...queries.workers(), refetchInterval: LOOK });
  const flows = useQuery(queries.flows());
  if (error) return <section className="card"><Failed error={error} onRetry={() => void refetch()} /></section>;
  if (!data) return <section className="card"><Loading /></section>;
  const workers = sortedWorkers(data.workers);
  const alive = workers.filter((worker) => worker.is_alive);
  const slots = alive.reduce((sum, worker) => sum + worker.slots, 0);
  const inHand = alive.reduce((sum, worker) => sum + worker.in_hand, 0);
  return (
    <section className="card" aria-labelledby="fleet">
      <header className="card-head">
        <h2 id="fleet" className="grow">Workers</h2>
        <span className="quiet small num">{alive.length} alive · {count(inHand)} of {count(slots)} slots in use</span>
      </header>
      {workers.length === 0 ? (
        <Empty icon="workers" title="Nobody works on this store">
          Runs are recorded and wait. Start a program that has the flows, or <code>vastflow dev</code>.
        </Empty>
      ) : <WorkerTable workers={workers} flows={flowsByPlan(flows.data?.items ?? [])} />}
      {(data.taken_over > 0 || data.fenced > 0) && (
        <p className="card-foot quiet small">
          {count(data.taken_over)} calls were taken over from workers that were given up, {count(data.fenced)} late results of
          theirs refused. Nothing was lost, and nothing counted twice.
        </p>
      )}
    </section>
  );
}

function WorkerTable({ workers, flows }: { workers: readonly WorkerRow[]; flows: FlowsByPlan }) {
  return (
    <div className="table-box" tabIndex={0} role="region" aria-label="Table of workers">
      <table className="table">
        <thead>
          <tr><th>Worker</th><th>Where</th><th>Version</th><th>Slots</th><th>Lanes</th><th>Flows</th><th>Heartbeat</th></tr>
        </thead>
        <tbody>{workers.map((worker) => <WorkerLine key={worker.id} worker={worker} flows={flows} />)}</tbody>
      </table>
    </div>
  );
}

function WorkerLine({ worker, flows }: { worker: WorkerRow; flows: FlowsByPlan }) {
  const serves = worker.serves.map((plan) => flows.get(plan) ?? plan.slice(0, 8)).sort();
  return (
    <tr data-gone={!worker.is_alive}>
      <td>{worker.name && <b>{worker.name} </b>}<Copyable text={worker.id} what="id of the worker" /></td>
      <td data-label="Where" className="num">{worker.host} <span className="quiet">pid {worker.pid}</span></td>
      <td data-label="Version" className="num">{worker.version}</td>
      <td data-label="Slots"><Slots used={worker.in_hand} of={worker.slots} /></td>
      <td data-label="Lanes">{worker.lanes.length === 0 ? <span className="quiet">common</span> : worker.lanes.join(", ")}</td>
      <td data-label="Flows">
        <span title={serves.join(", ")}>{serves.length}</span>
        {worker.lacks && worker.lacks.length > 0 && (
          <span className="lacks" data-tone="warn" title={worker.lacks.map((lack) => `${flows.get(lack.plan) ?? lack.plan}: ${lack.first}`).join(", ")}>
            lacks code of {worker.lacks.length}
          </span>
        )}
      </td>
      <td data-label="Heartbeat"><Heartbeat until={worker.until_ms} isAlive={worker.is_alive} /></td>
    </tr>
  );
}

function Slots({ used, of }: { used: number; of: number }) {
  if (of === 0) return <span className="quiet">runs no node</span>;
  return (
    <span className="slots">
      <meter min={0} max={of} value={used} aria-label={`${used} of ${of} slots in use`} />
      <span className="num">{count(used)} / {count(of)}</span>
    </span>
  );
}

/** A worker says from time to time that it is there; until when that holds is what the store knows. */
function Heartbeat({ until, isAlive }: { until: number; isAlive: boolean }) {
  const now = useNow();
  const left = until - now;
  if (isAlive) return <span className="beat" data-tone="ok" title={`good for ${duration(Math.max(0, left))} more`}>alive</span>;
  return <span className="beat" data-tone="bad">silent for {duration(Math.max(0, -left))}</span>;
}

function Queues() {
  const { data, error, refetch } = useQuery({ ...queries.queues(), refetchInterval: LOOK });
  if (error) return <section className="card"><Failed error={error} onRetry={() => void refetch()} /></section>;
  if (!data) return <section className="card"><Loading /></section>;
  const rows = sortedQueues(data.items);
  return (
    <section className="card" aria-labelledby="queues">
      <header className="card-head"><h2 id="queues" className="grow">Queues</h2></header>
      {rows.length === 0 ? (
        <Empty icon="check" title="Nothing waits">Every call that could begin has begun.</Empty>
      ) : (
        <div className="table-box" tabIndex={0} role="region" aria-label="Table of queues">
          <table className="table">
            <thead>
              <tr>
                <th>Flow</th><th>Lane</th><th className="right">Ready</th><th className="right">Oldest</th><th className="right">In hand</th>
                <th className="right">Later</th><th className="right">Held</th><th>Plan</th>
              </tr>
            </thead>
            <tbody>{rows.map((row) => <QueueLine key={`${row.plan} ${row.lane ?? ""}`} row={row} />)}</tbody>
          </table>
        </div>
      )}
      <p className="card-foot quiet small">
        Ready calls could begin now; later ones wait for their time: a retry, a poll, a timer. Held ones belong to runs that are paused.
      </p>
    </section>
  );
}

function QueueLine({ row }: { row: QueueRow }) {
  const now = useNow();
  const age = row.oldest_ready_ms == null ? null : now - row.oldest_ready_ms;
  return (
    <tr>
      <td><Link to={path("flows", row.flow)}>{row.flow}</Link></td>
      <td data-label="Lane">{row.lane ?? <span className="quiet">common</span>}</td>
      <td data-label="Ready" className="right num">{count(row.ready)}</td>
      <td data-label="Oldest" className="right num" data-tone={age !== null && isLate(age) ? "warn" : undefined}>{age === null ? "–" : duration(Math.max(0, age))}</td>
      <td data-label="In hand" className="right num">{count(row.in_hand)}</td>
      <td data-label="Later" className="right num">{count(row.later)}</td>
      <td data-label="Held" className="right num">{count(row.held)}</td>
      <td data-label="Plan"><span className="copyable"><code className="quiet" title={row.plan}>{row.plan.slice(0, 8)}</code><Copy text={row.plan} what="plan hash" /></span></td>
    </tr>
  );
}
