import { useCallback, useEffect, useMemo, useRef, useState, useSyncExternalStore } from "react";
import { Graph } from "../../graph/Graph";
import type { Size } from "../../graph/camera";
import { layoutFor } from "../../graph/layout";
import { useSearch } from "../../router/router";
import { Clock } from "../../ui/Time";
import { Icon } from "../../ui/icons";
import { Empty, Loading } from "../../ui/States";
import { foldTo } from "./fold";
import { looksOf, looksThen, undoneOf } from "./looks";
import { useEvents, type RunData } from "./useRun";

interface Props {
  data: RunData;
  chosen: string | null;
  choose: (at: string | null) => void;
}

/** The run as its graph: as it stands, or as it stood at an event (`?at=`). */
export function RunGraph({ data, chosen, choose }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const [room, setRoom] = useState<Size | null>(null);
  const [search, change] = useSearch();
  const then = search.get("at") === null ? null : Number(search.get("at"));
  useEffect(() => { setRoom({ width: box.current?.clientWidth ?? 1000, height: box.current?.clientHeight ?? 700 }); }, []);
  const { drawn, views, view } = data;
  const placed = useMemo(() => (drawn && room ? layoutFor(drawn, room) : null), [drawn, room]);
  const tally = useSyncExternalStore(data.log.subscribe, () => data.log.tally);
  const now = useMemo(() => (drawn && then === null ? looksOf(drawn, views, tally) : null), [drawn, views, tally, then]);
  const past = usePast(data, then);
  const undone = useMemo(() => (then === null ? undoneOf(views) : []), [views, then]);
  // The panel may be of a node inside of one that is drawn.
  const shown = useMemo(() => nearest(placed?.byId, chosen), [placed, chosen]);
  const pick = useCallback((id: string | null) => { choose(id); }, [choose]);
  const looks = then === null ? now : past;
  return (
    <div ref={box} className="run-graph">
      {then !== null && <Then data={data} seq={then} onNow={() => { change((next) => { next.delete("at"); }); }} />}
      {!view || (!placed && drawn) ? <Loading /> : !placed ? <Empty title="The plan of this run is not stored" /> : (
        <Graph layout={placed} looks={looks} chosen={shown} onChoose={pick} undone={undone} label={`The graph of ${data.id}`} />
      )}
    </div>
  );
}

function usePast({ plan, drawn, view, views, log }: RunData, then: number | null) {
  const { events } = useEvents(log, then !== null);
  return useMemo(() => {
    if (then === null || !plan || !drawn) return null;
    const ends = new Map(view?.nodes.map(({ name, status }) => [name, status]));
    return looksThen(drawn, foldTo(plan, events, then, ends), views);
  }, [then, plan, drawn, view, views, events]);
}

/** Says that this is the past, and leads back. */
function Then({ data, seq, onNow }: { data: RunData; seq: number; onNow: () => void }) {
  const { events } = useEvents(data.log);
  const event = events[seq];
  return (
    <p className="then" role="status">
      <Icon name="clock" />
      <span className="grow cut">As it was at event {seq}{event && <> · <Clock at={event.at_ms} /> · {event.text}</>}</span>
      <button type="button" className="button small-button" onClick={onNow}>Now</button>
    </p>
  );
}

function nearest(byId: ReadonlyMap<string, unknown> | undefined, at: string | null): string | null {
  if (!byId || at === null) return null;
  let name = at;
  while (!byId.has(name)) {
    const cut = name.lastIndexOf("/");
    if (cut < 0) return null;
    name = name.slice(0, cut).replace(/\[[^\]]*\]$/, "");
  }
  return name;
}
