import { useCallback, useMemo, useState } from "react";
import { isOver } from "../../../api/types";
import { duration } from "../../../time/format";
import { useNow } from "../../../time/now";
import { Empty, Loading } from "../../../ui/States";
import { StatusDot } from "../../../ui/Status";
import { VirtualList } from "../../../ui/VirtualList";
import type { ViewProps } from "../Run";
import { busySpans, rowsOf, type Bar, type Row } from "./rows";
import { scale, ticks, type Scale } from "./scale";
import "./timeline.css";

const ROW = 30;
const TICKS = 6;
/** So much must be idle, and so long the run, that squeezing is worth it by itself. */
const WORTH = { gain: 3, ms: 20_000 };

/** When each node ran, waited, was polled. */
export default function Timeline({ data, chosen, choose }: ViewProps) {
  const { run, views } = data;
  const now = useNow(run !== undefined && !isOver(run.status));
  const [wish, setWish] = useState<boolean | null>(null);
  const rows = useMemo(() => rowsOf(views, now), [views, now]);
  const end = run?.ended_at_ms ?? now;
  const squeezed = useMemo(() => {
    const last = rows.reduce((most, row) => row.bars.reduce((at, bar) => Math.max(at, bar.to), most), end);
    return scale({ from: run?.started_at_ms ?? 0, to: last }, busySpans(rows), true);
  }, [rows, run?.started_at_ms, end]);
  const isSqueezed = wish ?? (squeezed.gain > WORTH.gain && squeezed.to - squeezed.from > WORTH.ms);
  const of = useMemo(() => (isSqueezed ? squeezed : scale({ from: squeezed.from, to: squeezed.to }, [], false)), [squeezed, isSqueezed]);
  const toggle = useCallback((id: string) => { choose(id === chosen ? null : id); }, [choose, chosen]);
  if (!run || views.size === 0) return <Loading />;
  if (rows.length === 0) return <Empty title="Nothing has begun yet" />;
  return (
    <div className="timeline">
      <div className="row timeline-tools">
        <Legend />
        <span className="grow" />
        <button type="button" className="button small-button" aria-pressed={isSqueezed} title="Idle time takes little room" onClick={() => { setWish(!isSqueezed); }}>Squeeze idle time</button>
      </div>
      <VirtualList items={rows} height={ROW} keyOf={({ id }) => id} label="Nodes in time" chosen={chosen === null ? undefined : rows.findIndex(({ id }) => id === chosen)}
        head={<Axis of={of} />}
        row={(row) => <Line row={row} of={of} isChosen={row.id === chosen} onChoose={toggle} />} />
    </div>
  );
}

function Legend() {
  return (
    <ul className="row legend small quiet" aria-label="Legend">
      <li><span className="bar-key" data-kind="call" data-tone="ok" />ran</li>
      <li><span className="bar-key" data-kind="call" data-tone="bad" />failed</li>
      <li><span className="bar-key" data-kind="wait" data-tone="wait" />waited</li>
      <li><span className="bar-key" data-kind="poll" data-tone="wait" />polled</li>
      <li><span className="bar-key" data-kind="undo" data-tone="undo" />undone</li>
    </ul>
  );
}

function Axis({ of }: { of: Scale }) {
  return (
    <div className="axis" aria-hidden="true">
      <div className="axis-line">
        {ticks(of, TICKS).map((at) => <span key={at} className="tick num" style={{ left: `${of.place(at) * 100}%` }}>{duration(Math.round(at - of.from))}</span>)}
        {of.breaks.map((gap) => (
          <span key={gap.from} className="break" style={{ left: `${gap.left * 100}%`, width: `${(gap.right - gap.left) * 100}%` }} title={`${duration(gap.to - gap.from)} in which nothing ran`} />
        ))}
      </div>
    </div>
  );
}

function Line({ row, of, isChosen, onChoose }: { row: Row; of: Scale; isChosen: boolean; onChoose: (id: string) => void }) {
  return (
    <span role="cell" className="contents"><button type="button" className="line" aria-pressed={isChosen} onClick={() => { onChoose(row.id); }}>
      <span className="line-name" style={{ paddingLeft: 8 + row.depth * 12 }} title={row.id}><StatusDot of={row.status} /><span className="cut">{row.name}</span></span>
      <span className="line-bars">{row.bars.map((bar, at) => <BarOf key={at} bar={bar} of={of} />)}</span>
    </button></span>
  );
}

function BarOf({ bar, of }: { bar: Bar; of: Scale }) {
  const left = of.place(bar.from);
  const width = of.place(bar.to) - left;
  const title = `${bar.says} · ${duration(bar.to - bar.from)}`;
  return <span className="bar" data-kind={bar.kind} data-tone={bar.tone} title={title} style={{ left: `${left * 100}%`, width: `${width * 100}%` }} />;
}
