// All runs: a list of any length, what it is narrowed to, and what can be asked of many at once.
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import type { RunRow } from "../../api/types";
import { AskVerb } from "../../actions/AskVerb";
import { says } from "../../actions/verbs";
import { useKeys } from "../../keyboard/keys";
import { Link } from "../../router/Link";
import { path } from "../../router/match";
import { cameBack, navigate, useSearch } from "../../router/router";
import { count } from "../../time/format";
import { serviceNow } from "../../time/now";
import { Icon } from "../../ui/icons";
import { Empty, Failed, Loading } from "../../ui/States";
import { VirtualList } from "../../ui/VirtualList";
import { BulkBar } from "./BulkBar";
import { FilterBar } from "./FilterBar";
import { asked as askedFor, fromUrl, toUrl, type Filters } from "./filters";
import { RunHeadings, RunLine } from "./RunLine";
import { MOST_NEW, useRuns, type Further } from "./useRuns";
import "./runs.css";

const ROW = 42;
const NARROW_ROW = 64;
const isNarrow = matchMedia("(max-width: 860px)");

/** Where the keyboard was, for who comes back. */
let lastAt: string | null = null;

export default function Runs() {
  const [search, change] = useSearch();
  const key = search.toString();
  const filters = useMemo(() => fromUrl(new URLSearchParams(key)), [key]);
  const { flow, status, since } = filters;
  // "The last hour" is the one before it was asked for: a list that is read does not begin anew by itself.
  const [moment, setMoment] = useState(serviceNow);
  const labels = filters.labels.join("\n");
  const words = useSettled(filters.words);
  const asked = useMemo(
    () => askedFor({ flow, status, since, labels: labels === "" ? [] : labels.split("\n"), words }, moment),
    [flow, status, since, labels, words, moment],
  );
  const [isHeld, setHeld] = useState(false);
  const { rows: shown, waiting, release, more, query, further } = useRuns(asked, isHeld);
  const [picked, setPicked] = useState<ReadonlySet<string>>(new Set());
  // The run that the keyboard is at. It stays at this run when others come above it.
  const [at, setAt] = useState(() => (cameBack() ? lastAt : null));
  useEffect(() => { lastAt = at; }, [at]);
  const [asking, setAsking] = useState<RunRow | null>(null);
  const list = useRef<{ top: () => void } | null>(null);

  const setFilters = useCallback((next: Filters) => { change((into) => { toUrl(next, into); }); setMoment(serviceNow()); setPicked(new Set()); setAt(null); }, [change]);
  const pick = useCallback((id: string) => {
    setPicked((before) => {
      const next = new Set(before);
      if (!next.delete(id)) next.add(id);
      return next;
    });
  }, []);
  const cursor = useMemo(() => (at === null ? -1 : shown.findIndex(({ id }) => id === at)), [shown, at]);
  const box = useRunsKeys({ shown, cursor, setAt, pick, retry: setAsking });

  return (
    <div className="runs">
      <header className="runs-head">
        <FilterBar filters={filters} onChange={setFilters} searchBox={box} />
      </header>
      {query.error && shown.length === 0 ? <Failed error={query.error} onRetry={() => void query.refetch()} />
        : query.isPending || (shown.length === 0 && query.isPlaceholderData) ? <Loading lines={8} />
        : shown.length === 0 && further.isOffered ? <NoneYet of={further} isFailed={query.isFetchNextPageError} />
        : shown.length === 0 && !query.hasNextPage ? <Nothing isNarrowed={key !== ""} onAll={() => { setFilters(fromUrl(new URLSearchParams())); }} />
        : (
          <VirtualList items={shown} height={isNarrow.matches ? NARROW_ROW : ROW} keyOf={({ id }) => id} label="Runs" chosen={cursor < 0 ? undefined : cursor} onEnd={more}
            handle={list} keep={`runs?${key}`} onScroll={(top) => { setHeld(top > ROW); }}
            head={<RunHeadings isAll={shown.length > 0 && picked.size >= shown.length} onAll={() => { setPicked(picked.size >= shown.length ? new Set() : new Set(shown.map(({ id }) => id))); }} />}
            row={(run, at) => <RunLine run={run} isPicked={picked.has(run.id)} isAt={at === cursor} onPick={pick} />} />
        )}
      {shown.length > 0 && further.isOffered && <div className="runs-further row wrap small"><LookOn of={further} isFailed={query.isFetchNextPageError} /></div>}
      {waiting > 0 && (
        <button type="button" className="button primary runs-new" onClick={() => { release(); list.current?.top(); }}>{count(waiting)}{waiting < MOST_NEW ? "" : "+"} new</button>
      )}
      <BulkBar picked={picked} asked={asked} shown={shown} isMore={query.hasNextPage} onDone={() => { setPicked(new Set()); }} />
      {asking && <AskVerb run={asking} verb="retry" onClose={() => { setAsking(null); }} />}
    </div>
  );
}

/** So long after the last letter, what was typed is asked for. */
const SETTLED = 300;

function useSettled(text: string): string {
  const [settled, setSettled] = useState(text);
  useEffect(() => {
    const timer = setTimeout(() => { setSettled(text); }, SETTLED);
    return () => { clearTimeout(timer); };
  }, [text]);
  return settled;
}

function Nothing({ isNarrowed, onAll }: { isNarrowed: boolean; onAll: () => void }) {
  if (!isNarrowed) return <Empty title="There are no runs yet">Start one with <code>vastflow start FLOW -i JSON</code>, from code, over HTTP, or on the page of <Link to="/flows">a flow</Link>.</Empty>;
  return <Empty icon="filter" title="No run is like that"><button type="button" className="button" onClick={onAll}>Show all runs</button></Empty>;
}

interface Looking {
  of: Further;
  isFailed: boolean;
}

/** Nothing yet. For one answer the service looks at so many runs, and no more. */
function NoneYet(props: Looking) {
  return <Empty icon="filter" title="No run is like that so far"><div className="stack"><LookOn {...props} /></div></Empty>;
}

function LookOn({ of: { isLooking, looks, look, stop }, isFailed }: Looking) {
  const sofar = `${count(looks)} look${looks === 1 ? "" : "s"} so far`;
  return (
    <>
      <p className="quiet" role="status">
        {isLooking ? `Looking further back, ${sofar}…` : `Only the newest runs were looked at (${sofar}). Older ones may be like that, too.`}
        {!isLooking && isFailed && " The next look failed."}
      </p>
      {isLooking
        ? <div><button type="button" className="button" onClick={stop}>Stop</button></div>
        : <div><button type="button" className="button" onClick={() => void look()}><Icon name="search" />Look further</button></div>}
    </>
  );
}

interface KeysOf {
  shown: readonly RunRow[];
  cursor: number;
  setAt: (id: string) => void;
  pick: (id: string) => void;
  retry: (run: RunRow) => void;
}

function useRunsKeys({ shown, cursor, setAt, pick, retry }: KeysOf) {
  const box = useRef<HTMLInputElement>(null);
  const at = shown[cursor];
  const go = (by: number) => {
    const next = shown[Math.max(0, Math.min(shown.length - 1, cursor + by))];
    if (next) setAt(next.id);
  };
  useKeys("Runs", [
    { keys: "/", says: "Search", run: () => { box.current?.focus(); } },
    { keys: "j", says: "Next run", run: () => { go(1); } },
    { keys: "k", says: "Run before", run: () => { go(-1); } },
    { keys: "o", says: "Open it", run: () => { if (at) navigate(path("runs", at.id)); } },
    { keys: "x", says: "Pick it", run: () => { if (at) pick(at.id); } },
    { keys: "r", says: "Retry it", run: () => { if (at && says("retry").fits(at.status)) retry(at); } },
  ]);
  return box;
}
