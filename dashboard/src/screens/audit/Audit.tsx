import { useInfiniteQuery } from "@tanstack/react-query";
import { useCallback, useEffect, useMemo, useRef } from "react";
import { queries } from "../../api/queries";
import type { AuditRow } from "../../api/types";
import { useKeys } from "../../keyboard/keys";
import { Link } from "../../router/Link";
import { path } from "../../router/match";
import { useSearch } from "../../router/router";
import { Copy } from "../../ui/Copy";
import { Icon } from "../../ui/icons";
import { Empty, Failed, Loading } from "../../ui/States";
import { At } from "../../ui/Time";
import { VirtualList } from "../../ui/VirtualList";
import { fits, said } from "./audit";
import "./audit.css";

/** How high a row is. */
const ROW = 60;

/** Who did what, the newest first. */
export default function Audit() {
  const { data, error, refetch, fetchNextPage, hasNextPage, isFetchingNextPage } = useInfiniteQuery(queries.audit());
  const [search, change] = useSearch();
  const text = search.get("q") ?? "";
  const input = useRef<HTMLInputElement>(null);
  useKeys("Audit", [{ keys: "/", says: "Search", run: () => { input.current?.focus(); } }]);
  const rows = useMemo(() => (data?.pages ?? []).flatMap((page) => page.items).filter((row) => fits(row, text)), [data, text]);
  const more = useCallback(() => { if (hasNextPage && !isFetchingNextPage) void fetchNextPage(); }, [hasNextPage, isFetchingNextPage, fetchNextPage]);
  const isSearching = rows.length === 0 && hasNextPage;
  // What does not fit is passed over until something does.
  useEffect(() => { if (isSearching) more(); }, [isSearching, more]);
  return (
    <div className="screen audit">
      <header className="screen-head">
        <h1 className="grow">Audit</h1>
        <label className="search">
          <Icon name="search" />
          <span className="sr">Search</span>
          <input ref={input} className="input" type="search" value={text} placeholder="Who, what, which run"
            onChange={(event) => { change((search) => { if (event.target.value) search.set("q", event.target.value); else search.delete("q"); }); }} />
        </label>
        <button type="button" className="button" onClick={() => void refetch()}><Icon name="retry" />Look again</button>
      </header>
      {error ? <Failed error={error} onRetry={() => void refetch()} /> : !data || isSearching ? <Loading /> : rows.length === 0 ? (
        <Empty icon="audit" title={text === "" ? "Nothing was changed yet" : "Nothing fits"}>
          Every request that was to change something stands here, with how it was answered.
        </Empty>
      ) : (
        <section className="card audit-list" style={{ height: rows.length * ROW + 2 }}>
          <VirtualList items={rows} height={ROW} label="What was done" onEnd={more} row={(row) => <Line row={row} />}
            keyOf={(row) => `${row.at_ms} ${row.path} ${row.request_id ?? ""} ${row.status}`} />
        </section>
      )}
    </div>
  );
}

function Line({ row }: { row: AuditRow }) {
  const run = row.run ?? null;
  return (
    <div className="audit-row">
      <span role="cell" className="audit-at quiet small"><At at={row.at_ms} /></span>
      <span role="cell" className="audit-what cut" title={`${said(row.operation)}${run === null ? "" : ` of ${run}`}${row.why ? `: ${row.why}` : ""}`}>
        <b>{row.who ?? "nobody known"}</b> <span className="quiet">asked to</span> {said(row.operation)}
        {run !== null && <> <span className="quiet">of</span> <Link to={path("runs", run)}>{run}</Link></>}
        {row.why && <span className="quiet"> · “{row.why}”</span>}
      </span>
      <span role="cell" className="audit-path mono quiet cut" title={row.path}>{row.path}{row.from ? ` from ${row.from}` : ""}</span>
      <span role="cell" className="audit-status num" data-tone={row.status < 400 ? "ok" : "bad"}>
        {row.request_id != null && <Copy text={row.request_id} what="request id" />}
        <span aria-hidden="true">{row.status < 400 ? "✓" : "✗"}</span> {row.status}
      </span>
    </div>
  );
}
