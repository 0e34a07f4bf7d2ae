import { ago, clock, date, duration, full } from "../time/format";
import { useNow } from "../time/now";
import { useZone } from "../time/zone";

/** A moment: how long ago, and on hovering when exactly. */
export function Ago({ at }: { at: number }) {
  const zone = useZone();
  const now = useNow();
  return <time className="num" dateTime={new Date(at).toISOString()} title={full(at, zone)}>{ago(at, now)}</time>;
}

/** A moment: the date and the time. */
export function At({ at }: { at: number }) {
  const zone = useZone();
  return <time className="num" dateTime={new Date(at).toISOString()}>{full(at, zone)}</time>;
}

/** A moment: the time of day, to the millisecond; with `withDay` the day, too, if that is not today. */
export function Clock({ at, withDay = false }: { at: number; withDay?: boolean }) {
  const zone = useZone();
  const now = useNow(false);
  const day = withDay && date(at, zone) !== date(now, zone) ? `${date(at, zone)} ` : "";
  return <time className="num" dateTime={new Date(at).toISOString()} title={full(at, zone)}>{day}{clock(at, zone, true)}</time>;
}

/** How long something took; of what goes on (no `to`) how long it has taken so far. */
export function Took({ from, to }: { from: number; to: number | null | undefined }) {
  const goesOn = to === null || to === undefined;
  const now = useNow(goesOn);
  return <span className="num">{duration(Math.max(0, (goesOn ? now : to) - from))}</span>;
}
