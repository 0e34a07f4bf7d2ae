import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useMemo, useRef } from "react";
import { command } from "../../../actions/cli";
import { useRights } from "../../../api/me";
import { get } from "../../../api/http";
import type { RunLogs } from "../../../api/types";
import { splitAt } from "../../../plan/scope";
import { Link } from "../../../router/Link";
import { href, usePlace, useSearch } from "../../../router/router";
import { duration } from "../../../time/format";
import { Copy } from "../../../ui/Copy";
import { Icon } from "../../../ui/icons";
import { Clock } from "../../../ui/Time";
import { VirtualList } from "../../../ui/VirtualList";
import { lineOf, placeOf, plain } from "./lines";
import { NO_LINES, readOn, type Lines } from "./readOn";

/** So high that a finger hits it. */
const ROW = 24;
const MOST_ROWS = 14;
const A_PAGE = 5_000;
const EVERY = 2_000;

type Line = RunLogs["lines"][number] & { number: number };

/**
 * What the node's calls said. It is recorded with what comes of a call: one under way has said nothing yet. Lines are numbered
 * in the order in which they were recorded, and keep their numbers, so that a link leads to one of them.
 */
export function Logs({ run, at, isOn }: { run: string; at: string; isOn: boolean }) {
  const { scope, node } = splitAt(at);
  const { may } = useRights();
  const [search, change] = useSearch();
  const client = useQueryClient();
  const { data } = useQuery({
    queryKey: ["run", run, "logs", at],
    queryFn: ({ queryKey, signal }) => readOn(
      client.getQueryData<Lines>(queryKey) ?? NO_LINES,
      (after) => get<RunLogs>(["runs", run, "logs"], { scope: scope || undefined, node, after, limit: A_PAGE }, signal),
    ),
    enabled: may("payload:read"),
    retry: false,
    structuralSharing: false,
    refetchInterval: (query) => (isOn && !query.state.error ? EVERY : false),
  });
  const lines = useMemo(() => (data?.lines ?? []).map((line, before): Line => ({ ...line, number: before + 1 })), [data]);
  const chosen = lines[lineOf(search) - 1];
  const box = useRef<HTMLElement>(null);
  const isLinked = chosen !== undefined;
  // A link to a line leads to the line, not to the top of the panel.
  useEffect(() => { if (isLinked) box.current?.scrollIntoView({ block: "nearest" }); }, [isLinked]);
  if (lines.length === 0) return null;
  const left = [data?.isMore === true && "more follow: the command shows them", data !== undefined && data.dropped > 0 && `${String(data.dropped)} were not kept`].filter(Boolean);
  const last = isOn ? lines.length - 1 : undefined;
  return (
    <section ref={box}>
      <div className="row">
        <h3 className="grow">Logs <span className="quiet num">{lines.length}</span></h3>
        <Copy text={command(["runs", "logs", run], { within: scope, node })} what="command" icon="terminal" />
      </div>
      <div className="logs" style={{ height: Math.min(lines.length, MOST_ROWS) * ROW + 2 }}>
        <VirtualList items={lines} height={ROW} label="Logs" keyOf={({ number }) => String(number)} chosen={chosen ? chosen.number - 1 : last}
          row={(line) => <Row line={line} at={at} isChosen={line === chosen} />} />
      </div>
      {left.length > 0 && <p className="quiet small">{left.join("; ")}</p>}
      {chosen && <Whole line={chosen} at={at} onClose={() => { change((next) => { next.delete("line"); }); }} />}
    </section>
  );
}

/** A line, cut to one row. It is a link to itself. */
function Row({ line, at, isChosen }: { line: Line; at: string; isChosen: boolean }) {
  const place = usePlace();
  return (
    <span role="cell" className="contents">
      <Link to={placeOf(place, at, line.number)} className="log-line" data-level={line.level} aria-current={isChosen ? "true" : undefined}>
        <span className="log-number">{line.number}</span>
        <span className="log-time quiet"><Clock at={line.at_ms} />{" "}</span><span className="log-level">{line.level}</span>{plain(line.text)}
      </Link>
    </span>
  );
}

/** The whole of a line, and of where it comes from. */
function Whole({ line, at, onClose }: { line: Line; at: string; onClose: () => void }) {
  const place = usePlace();
  return (
    <div className="log-whole" role="group" aria-label={`Line ${String(line.number)}`}>
      <div className="row">
        <span className="grow small quiet">
          Line {line.number}, {line.level}: attempt {line.attempt}, {duration(line.after_us / 1_000)} after it began, recorded <Clock at={line.at_ms} />
        </span>
        <Copy text={new URL(href(placeOf(place, at, line.number)), location.href).href} what="link to the line" icon="link" />
        <Copy text={line.text} what="line" />
        <button type="button" className="icon-button" aria-label="Close the line" title="Close the line" onClick={onClose}><Icon name="cross" /></button>
      </div>
      <pre tabIndex={0}>{plain(line.text)}</pre>
    </div>
  );
}
