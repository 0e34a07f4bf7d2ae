import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { queries } from "../../api/queries";
import type { Grid, RunChanged, RunRow } from "../../api/types";
import type { Told } from "../../live/sse";
import { useStale } from "../../live/useAgain";
import { useLive } from "../../live/useLive";
import { Link } from "../../router/Link";
import { path } from "../../router/match";
import { Empty, Failed, Loading } from "../../ui/States";
import { look } from "../../ui/status";
import { failures, percent } from "./grid";

/** How many of a flow's newest runs are columns. */
const COLUMNS = 25;
/** The states of so many runs are many answers in one. */
const EVERY = 1_000;

/** The newest runs of a flow × its nodes. */
export function RunGrid({ flow }: { flow: string }) {
  const { data, error, refetch } = useQuery({ ...queries.grid(flow, COLUMNS), placeholderData: keepPreviousData });
  const stale = useStale([["runs", "grid", flow], ["flows", flow, "stats"]], EVERY);
  useLive(null, (news) => { if (news.some((one) => isOf(one, flow))) stale(); });
  if (error) return <Failed error={error} onRetry={() => void refetch()} />;
  if (!data) return <Loading />;
  return <Shown grid={data} />;
}

/** Whether news is of a run of this flow, or of any that was missed. */
function isOf({ name, data }: Told, flow: string): boolean {
  return name === "reset" || (name === "run" && (JSON.parse(data) as RunChanged).run.flow === flow);
}

function Shown({ grid }: { grid: Grid }) {
  if (grid.runs.length === 0) return <Empty icon="runs" title="This flow has no runs yet" />;
  const columns = [...grid.runs].reverse();
  return (
    <>
      <div ref={showNewest} className="grid-box" tabIndex={0} role="region" aria-label="The newest runs and their nodes">
        <table className="run-grid">
          <caption className="sr">The state of each node in the newest {columns.length} runs, the newest at the right</caption>
          <thead>
            <tr>
              <th scope="col" className="grid-node">Node</th>
              {columns.map(({ run }) => <RunHead key={run.id} run={run} />)}
              <th scope="col" className="grid-rate">Failed</th>
            </tr>
          </thead>
          <tbody>
            {grid.nodes.map((node, at) => (
              <tr key={node}>
                <th scope="row" className="grid-node"><span className="cut" title={node}>{node}</span></th>
                {columns.map(({ run, states }) => <Cell key={run.id} run={run.id} node={node} state={states[at] ?? null} />)}
                <Rate grid={grid} node={at} />
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {grid.cut && <p className="card-foot quiet small">Only the first {grid.nodes.length} nodes are shown.</p>}
    </>
  );
}

/** Where there is not room for all, the newest are in sight. */
function showNewest(box: HTMLDivElement | null): void {
  if (box) box.scrollLeft = box.scrollWidth;
}

function RunHead({ run }: { run: RunRow }) {
  const { tone, sign } = look(run.status);
  return (
    <th scope="col" className="grid-run">
      <Link to={path("runs", run.id)} className="grid-cell" data-tone={tone} title={`${run.id}: ${run.status}`}>
        <span aria-hidden="true">{sign}</span><span className="sr">{run.id} {run.status}</span>
      </Link>
    </th>
  );
}

function Cell({ run, node, state }: { run: string; node: string; state: string | null }) {
  if (state === null) return <td><span className="grid-cell" /></td>;
  const { tone, sign } = look(state);
  return (
    <td>
      <Link to={`${path("runs", run)}?node=${encodeURIComponent(node)}`} className="grid-cell filled" data-tone={tone} tabIndex={-1} title={`${node} of ${run}: ${state}`}>
        <span aria-hidden="true">{sign}</span><span className="sr">{state}</span>
      </Link>
    </td>
  );
}

function Rate({ grid, node }: { grid: Grid; node: number }) {
  const { failed, reached } = failures(grid, node);
  if (failed === 0) return <td className="grid-rate quiet">–</td>;
  return <td className="grid-rate num" data-tone="bad" title={`${failed} of ${reached} runs that came so far`}>{percent(failed / reached)}</td>;
}
