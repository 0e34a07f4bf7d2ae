import { useMemo, useRef } from "react";
import type { EventRow } from "../../../api/types";
import { useKeys } from "../../../keyboard/keys";
import { useSearch } from "../../../router/router";
import { duration, whole } from "../../../time/format";
import { Icon } from "../../../ui/icons";
import { Clock } from "../../../ui/Time";
import { Empty, Failed } from "../../../ui/States";
import { VirtualList } from "../../../ui/VirtualList";
import type { ViewProps } from "../Run";
import { RunGraph } from "../RunGraph";
import { useEvents } from "../useRun";
import { asKind, filtered, KINDS, tone } from "./filter";
import "./events.css";

const ROW = 30;

/** What is recorded of the run, to read. Choosing an event shows the graph as it was then. */
export default function Events({ data, chosen, choose }: ViewProps) {
  const { events, isWhole, error, again } = useEvents(data.log);
  const [search, change] = useSearch();
  const box = useRef<HTMLInputElement>(null);
  const [kind, words] = [asKind(search.get("kind")), search.get("q") ?? ""];
  const at = search.get("at") === null ? null : Number(search.get("at"));
  const shown = useMemo(() => filtered(events, kind, words), [events, kind, words]);
  const place = at === null ? -1 : shown.findIndex(({ seq }) => seq === at);
  const pick = (seq: number | null) => { change((next) => { if (seq === null) next.delete("at"); else next.set("at", String(seq)); }); };
  const step = (by: number) => { const next = shown[Math.max(0, place + by)]; if (next) pick(next.seq); };
  useKeys("Events", [
    { keys: "j", says: "Next event", run: () => { step(1); } },
    { keys: "k", says: "Event before", run: () => { step(-1); } },
    { keys: "/", says: "Search", run: () => { box.current?.focus(); } },
  ]);
  const began = data.run?.started_at_ms ?? 0;
  if (error && events.length === 0) return <Failed error={error} onRetry={again} />;
  return (
    <div className="events" data-split={at !== null}>
      <div className="events-list">
        <div className="row events-tools">
          <input ref={box} className="input events-search" type="search" placeholder="Search events" aria-label="Search events" value={words}
            onChange={(event) => { change((next) => { if (event.target.value) next.set("q", event.target.value); else next.delete("q"); }); }} />
          {KINDS.map((one) => (
            <button key={one.kind} type="button" className="chip" aria-pressed={one.kind === kind} onClick={() => { change((next) => { next.set("kind", one.kind); }); }}>{one.label}</button>
          ))}
          <span className="quiet small num" role="status">{whole(shown.length)}{shown.length < events.length ? ` of ${whole(events.length)}` : ""}{isWhole || error ? "" : ", reading"}</span>
          {error !== null && !isWhole && <button type="button" className="button small-button" onClick={again}><Icon name="retry" />Not all could be read: try again</button>}
        </div>
        {shown.length === 0 && isWhole ? <Empty title="No event is like that" /> : (
          <VirtualList items={shown} height={ROW} keyOf={({ seq }) => String(seq)} label="Events" chosen={place < 0 ? undefined : place}
            row={(event) => <EventLine event={event} began={began} isChosen={event.seq === at} onPick={() => { pick(event.seq === at ? null : event.seq); }} />} />
        )}
      </div>
      {at !== null && <div className="events-graph"><RunGraph data={data} chosen={chosen} choose={choose} /></div>}
    </div>
  );
}

function EventLine({ event, began, isChosen, onPick }: { event: EventRow; began: number; isChosen: boolean; onPick: () => void }) {
  const [sign = "", ...rest] = event.text;
  // How long it took stands in a column of its own.
  const text = rest.join("").trimStart().replace(/ {2}[\d.]+ (µs|ms|s|min|h|d)( \d+ \w+)?$/, "");
  return (
    <span role="cell" className="contents"><button type="button" className="event" data-tone={tone(event)} aria-pressed={isChosen} title={`${event.kind}: ${event.text}`} onClick={onPick}>
      <span className="event-seq num quiet">{event.seq}</span>
      <span className="event-time num quiet"><Clock at={event.at_ms} /></span>
      <span className="event-since num quiet">+{duration(event.at_ms - began)}</span>
      <span className="event-sign" aria-hidden="true">{sign}</span>
      <span className="grow cut">{text}</span>
      {event.took_us != null && <span className="num quiet small">{duration(event.took_us / 1000)}</span>}
    </button></span>
  );
}
