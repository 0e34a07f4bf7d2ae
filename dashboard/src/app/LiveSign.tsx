import type { LiveState } from "../live/stream";
import { useLiveState } from "../live/useLive";

const says: Record<LiveState, string> = {
  off: "This page does not change by itself",
  connecting: "Connecting",
  live: "Live: changes show as they happen",
  paused: "Paused while the tab is hidden",
  reconnecting: "Reconnecting: what is shown may be old",
  over: "Over: nothing will change any more",
};

const short: Record<LiveState, string> = {
  off: "still", connecting: "connecting", live: "live", paused: "paused", reconnecting: "reconnecting", over: "over",
};

/** Said over the page, where everybody looks, after a moment: most streams that break are there again at once. */
export function Stale() {
  if (useLiveState() !== "reconnecting") return null;
  return <p className="stale" aria-hidden="true"><span className="live-dot" />{says.reconnecting}</p>;
}

/** Whether what is shown is how it is. */
export function LiveSign() {
  const state = useLiveState();
  return (
    <span className="live" data-live={state} title={says[state]} role="status">
      <span className="live-dot" aria-hidden="true" />
      <span className="live-text">{short[state]}</span>
    </span>
  );
}
