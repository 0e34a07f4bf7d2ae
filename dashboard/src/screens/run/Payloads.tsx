import { useQuery } from "@tanstack/react-query";
import { isForbidden } from "../../api/problem";
import { queries } from "../../api/queries";
import { isOver } from "../../api/types";
import { Empty, Failed, Loading } from "../../ui/States";
import { Payload } from "../../ui/json/Payload";
import type { RunData } from "./useRun";

/** What the run was given, and what it gave. */
export default function Payloads({ data }: { data: RunData }) {
  const { run } = data;
  if (!run) return null;
  const hasOutput = run.output_bytes !== null && run.output_bytes !== undefined;
  return (
    <div className="pair pad">
      <section className="card">
        <div className="card-head"><h2>Input</h2></div>
        <div className="card-body"><Bytes id={run.id} which="input" /></div>
      </section>
      <section className="card">
        <div className="card-head"><h2>Output</h2></div>
        <div className="card-body">
          {hasOutput ? <Bytes id={run.id} which="output" /> : <Empty title={isOver(run.status) ? "It gave nothing: it did not succeed" : "It is not over yet"} />}
        </div>
      </section>
    </div>
  );
}

function Bytes({ id, which }: { id: string; which: "input" | "output" }) {
  const { data, error, refetch } = useQuery(queries.payload(id, which));
  if (isForbidden(error)) return <Hidden />;
  if (error) return <Failed error={error} onRetry={() => void refetch()} />;
  return data ? <Payload bytes={data.bytes} name={`${id}.${which}`} /> : <Loading />;
}

/** Looking at what runs carry is a right of its own. */
export function Hidden() {
  return <Empty icon="attention" title="What runs carry is not shown to you">It takes the right <code>payload:read</code>.</Empty>;
}
