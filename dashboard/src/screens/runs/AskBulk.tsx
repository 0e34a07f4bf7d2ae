// Something asked of many runs: first it is counted which ones, then somebody means it, then it is done a thousand at a time.
import { useEffect, useRef, useState } from "react";
import { actions } from "../../api/actions";
import { findRuns, type RunsAsked } from "../../api/queries";
import { RUN_STATUSES, type BulkAction } from "../../api/types";
import { Ask } from "../../actions/Ask";
import { command } from "../../actions/cli";
import { changed } from "../../actions/refresh";
import { says } from "../../actions/verbs";
import { whole } from "../../time/format";
import { say } from "../../ui/say";
import { Failed, Loading } from "../../ui/States";
import { asBulk, asOptions } from "./filters";
import { doAll, find, inWords, look, summed, type Found } from "./many";

/** Runs by their ids, or all that are like this. */
export type Of = { ids: string[] } | { like: RunsAsked };

/** More than this many, and their number must be typed. */
const TYPED_ABOVE = 100;
/** A command that names more runs than this is nothing to copy. */
const MOST_IDS = 20;
const SAMPLE = 8;

interface Props {
  action: BulkAction;
  of: Of;
  onClose: () => void;
  onDone: () => void;
}

export function AskBulk({ action, of, onClose, onDone }: Props) {
  const { label, effect, isDestructive, done } = says(action);
  const [sofar, setSofar] = useState(0);
  const { found, error, enough, again } = useFound(action, of);
  const cut = useCut();
  const all = typeof found === "object" ? found : null;
  const matched = all?.matched ?? 0;
  const act = async (why: string) => {
    if (all === null) return;
    const signal = cut.current.signal;
    const did = await doAll(all.ids, (ids) => actions.bulk({ action, ids, why, dry_run: false }), signal, setSofar);
    if (did.error !== undefined && did.left === all.ids.length) throw did.error;
    changed();
    if (!signal.aborted) onDone();
    say(summed(did, done), did.refused + did.left > 0);
  };
  // Who closes it while it is done ends it after the thousand that are under way; what is asked next stays open then.
  const close = () => { if (!cut.current.signal.aborted) onClose(); };
  const ids = "ids" in of ? of.ids : [];
  const verb = action === "delete" ? "rm" : action;
  const options = "ids" in of ? {} : asOptions(asBulk(of.like));
  const isSame = options !== null && ids.length <= MOST_IDS && all?.isAll === true;
  return (
    <Ask title={`${label} many`} button={sofar > 0 ? `${whole(sofar)} done…` : `${label} ${whole(matched)}`} isDestructive={isDestructive} act={act} onClose={close}
      isReady={matched > 0} needsReason={isDestructive} typed={matched > TYPED_ABOVE ? String(matched) : undefined}
      {...(isSame ? { command: (why: string) => command(["runs", verb, ...ids], { ...options, why }) } : {})}
      effect={<p>{effect}</p>}>
      {error !== undefined ? <Failed error={error} onRetry={again} /> : found === null ? <Loading lines={2} /> : <Preview of={found} label={label} onEnough={enough} />}
    </Ask>
  );
}

function Preview({ of, label, onEnough }: { of: Found | number; label: string; onEnough: () => void }) {
  if (typeof of === "number") {
    return (
      <div className="bulk-preview row">
        <p className="grow num" role="status">{inWords(of, label)}</p>
        <button type="button" className="button small-button" onClick={onEnough}>That is enough</button>
      </div>
    );
  }
  const shown = of.ids.slice(0, SAMPLE);
  return (
    <div className="bulk-preview" role="status">
      <p><strong className="num">{inWords(of, label)}</strong></p>
      {shown.length > 0 && <p className="small quiet">{shown.join(", ")}{of.ids.length > shown.length && ", …"}</p>}
      {of.refused.length > 0 && <p className="small field-bad">{of.refused.length} not: {of.refused[0]}</p>}
    </div>
  );
}

/** What is aborted when the window is closed. */
function useCut() {
  const cut = useRef(new AbortController());
  useEffect(() => {
    const own = new AbortController();
    cut.current = own;
    return () => { own.abort(); };
  }, []);
  return cut;
}

/** Which runs it is about: a number while they are counted. */
function useFound(action: BulkAction, of: Of) {
  const [found, setFound] = useState<Found | number | null>(null);
  const [error, setError] = useState<unknown>();
  const [round, setRound] = useState(0);
  const counting = useRef<AbortController | null>(null);
  useEffect(() => {
    const cut = new AbortController();
    counting.current = cut;
    let isShown = true;
    const show = (now: Found | number) => { if (isShown) setFound(now); };
    setFound(null);
    setError(undefined);
    counted(action, of, cut.signal, show).then(show, (error: unknown) => { if (isShown) setError(error); });
    return () => {
      isShown = false;
      cut.abort();
    };
  }, [action, of, round]);
  return { found, error, enough: () => { counting.current?.abort(); }, again: () => { setRound(round + 1); } };
}

async function counted(action: BulkAction, of: Of, signal: AbortSignal, onFound: (matched: number) => void): Promise<Found> {
  if ("ids" in of) return look(of.ids, (ids) => actions.bulk({ action, ids, dry_run: true }));
  const { status } = of.like;
  const statuses = RUN_STATUSES.filter((one) => says(action).fits(one) && (status === undefined || one === status));
  if (statuses.length === 0) return { ids: [], matched: 0, isAll: true, refused: [] };
  return find((before) => findRuns(of.like, statuses, before, signal), signal, onFound);
}
