import { useQuery } from "@tanstack/react-query";
import { useRights } from "../../../api/me";
import { get } from "../../../api/http";
import type { RunLogs } from "../../../api/types";
import { splitAt } from "../../../plan/scope";
import { duration } from "../../../time/format";
import { Clock } from "../../../ui/Time";
import { VirtualList } from "../../../ui/VirtualList";

const ROW = 20;
const MOST_ROWS = 16;
const MOST_LINES = 5_000;
const EVERY = 2_000;

/** What the node's calls said. It is recorded with what comes of a call: one under way has said nothing yet. */
export function Logs({ run, at, isOn }: { run: string; at: string; isOn: boolean }) {
  const { scope, node } = splitAt(at);
  const { may } = useRights();
  const { data } = useQuery({
    queryKey: ["run", run, "logs", at],
    queryFn: ({ signal }) => get<RunLogs>(["runs", run, "logs"], { scope: scope || undefined, node, limit: MOST_LINES }, signal),
    enabled: may("payload:read"),
    retry: false,
    refetchInterval: (query) => (isOn && !query.state.error ? EVERY : false),
  });
  const lines = data?.lines ?? [];
  if (lines.length === 0) return null;
  const left = [data?.next != null && "more follow", data !== undefined && data.dropped > 0 && `${String(data.dropped)} were not kept`].filter(Boolean);
  return (
    <section>
      <h3>Logs</h3>
      <div className="logs" style={{ height: Math.min(lines.length, MOST_ROWS) * ROW + 2 }}>
        <VirtualList items={lines.map((line, seq) => ({ ...line, seq }))} height={ROW} label="Logs" keyOf={({ seq }) => String(seq)} chosen={isOn ? lines.length - 1 : undefined}
          row={(line) => (
            <div role="cell" className="log-line" data-level={line.level}>
              <span className="quiet" title={`attempt ${String(line.attempt)}, ${duration(line.after_us / 1_000)} after it began`}><Clock at={line.at_ms} /></span>{" "}
              <span className="log-level">{line.level}</span> {line.text}
            </div>
          )} />
      </div>
      {left.length > 0 && <p className="quiet small">{left.join("; ")}</p>}
    </section>
  );
}
