import { useQuery } from "@tanstack/react-query";
import { get } from "../../../api/http";
import { Refused } from "../../../api/problem";
import type { Page } from "../../../api/types";
import { Clock } from "../../../ui/Time";
import { VirtualList } from "../../../ui/VirtualList";

interface LogLine {
  at_ms: number;
  level: string;
  text: string;
}

const ROW = 20;
const MOST_ROWS = 16;
const EVERY = 2_000;

/** Whether the service keeps logs: one that does not is asked once. */
let isKept = true;

async function ask(run: string, at: string, signal: AbortSignal): Promise<Page<LogLine> | null> {
  try {
    return await get<Page<LogLine>>(["runs", run, "logs"], { node: at }, signal);
  } catch (error) {
    if (!(error instanceof Refused) || error.code !== "not-found") throw error;
    isKept = false;
    return null;
  }
}

/** What the node's code logged. A service that keeps no logs answers 404, and then there is nothing here. */
export function Logs({ run, at, isOn }: { run: string; at: string; isOn: boolean }) {
  const { data } = useQuery({
    queryKey: ["run", run, "logs", at],
    queryFn: ({ signal }) => ask(run, at, signal),
    enabled: isKept,
    retry: false,
    refetchInterval: (query) => (isOn && isKept && !query.state.error ? EVERY : false),
  });
  const lines = data?.items ?? [];
  if (lines.length === 0) return null;
  return (
    <section>
      <h3>Logs</h3>
      <div className="logs" style={{ height: Math.min(lines.length, MOST_ROWS) * ROW + 2 }}>
        <VirtualList items={lines.map((line, seq) => ({ ...line, seq }))} height={ROW} label="Logs" keyOf={({ seq }) => String(seq)} chosen={isOn ? lines.length - 1 : undefined}
          row={(line) => (
            <div role="cell" className="log-line" data-level={line.level.toLowerCase()}>
              <span className="quiet"><Clock at={line.at_ms} /></span> <span className="log-level">{line.level}</span> {line.text}
            </div>
          )} />
      </div>
    </section>
  );
}
