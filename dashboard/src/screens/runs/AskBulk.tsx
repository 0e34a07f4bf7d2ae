// Something asked of many runs: first it is counted which ones, then somebody means it, then it is done a thousand at a time.
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { actions } from "../../api/actions";
import type { Bulk, BulkAction, BulkDone, Filter } from "../../api/types";
import { Ask } from "../../actions/Ask";
import { command } from "../../actions/cli";
import { changed } from "../../actions/refresh";
import { says } from "../../actions/verbs";
import { count } from "../../time/format";
import { say } from "../../ui/say";
import { Failed, Loading } from "../../ui/States";
import { asOptions } from "./filters";

/** Runs by their ids, or all that are like this. */
export type Of = { ids: string[] } | { filter: Filter };

/** More than this many, and their number must be typed. */
const TYPED_ABOVE = 100;
/** A command that names more runs than this is nothing to copy. */
const MOST_IDS = 20;
/** So many runs are taken by one request. */
const A_TIME = 1000;

interface Props {
  action: BulkAction;
  of: Of;
  onClose: () => void;
  onDone: () => void;
}

export function AskBulk({ action, of, onClose, onDone }: Props) {
  const { label, effect, isDestructive, done } = says(action);
  const [sofar, setSofar] = useState(0);
  const found = useQuery({ queryKey: ["bulk", action, of], queryFn: () => counted(action, of), gcTime: 0, staleTime: Infinity, retry: false });
  const matched = found.data?.matched ?? 0;
  const act = async (why: string) => {
    const { did, refused } = await doAll(action, of, why, matched, setSofar);
    changed();
    onDone();
    say(`${count(did)} ${done}${refused > 0 ? `; ${count(refused)} could not be` : ""}`, refused > 0);
  };
  const ids = "ids" in of ? of.ids : [];
  const verb = action === "delete" ? "rm" : action;
  const options = "ids" in of ? {} : asOptions(of.filter);
  return (
    <Ask title={`${label} many`} button={sofar > 0 ? `${count(sofar)} done…` : `${label} ${count(matched)}`} isDestructive={isDestructive} act={act} onClose={onClose}
      isReady={matched > 0} needsReason={isDestructive} typed={matched > TYPED_ABOVE ? String(matched) : undefined}
      {...(options === null || ids.length > MOST_IDS ? {} : { command: (why: string) => command(["runs", verb, ...ids], { ...options, why }) })}
      effect={<p>{effect}</p>}>
      {found.error ? <Failed error={found.error} onRetry={() => void found.refetch()} /> : found.data ? <Preview of={found.data} label={label} /> : <Loading lines={2} />}
    </Ask>
  );
}

function Preview({ of, label }: { of: BulkDone & { isCut: boolean }; label: string }) {
  const shown = of.sample.slice(0, 8);
  return (
    <div className="bulk-preview" role="status">
      <p><strong className="num">{of.matched === 0 ? "No run" : `${count(of.matched)}${of.isCut ? " or more" : ""} run${of.matched === 1 ? "" : "s"}`}</strong>{of.matched === 0 && <> can be asked to {label.toLowerCase()}</>}</p>
      {shown.length > 0 && <p className="small quiet">{shown.join(", ")}{of.matched > shown.length && ", …"}</p>}
      {of.failed && of.failed.length > 0 && <p className="small field-bad">{of.failed.length} not: {of.failed[0]?.detail}</p>}
    </div>
  );
}

async function counted(action: BulkAction, of: Of): Promise<BulkDone & { isCut: boolean }> {
  if ("filter" in of) {
    const first = await actions.bulk({ action, filter: of.filter, dry_run: true });
    return { ...first, isCut: first.more };
  }
  const all = await Promise.all(parts(of.ids).map((ids) => actions.bulk({ action, ids, dry_run: true })));
  return {
    dry_run: true, more: false, isCut: false, done: 0,
    matched: all.reduce((sum, { matched }) => sum + matched, 0),
    sample: all.flatMap(({ sample }) => sample),
    failed: all.flatMap(({ failed }) => failed ?? []),
  };
}

function parts(ids: readonly string[]): string[][] {
  return Array.from({ length: Math.ceil(ids.length / A_TIME) }, (_, at) => ids.slice(at * A_TIME, (at + 1) * A_TIME));
}

async function doAll(action: BulkAction, of: Of, why: string, expected: number, onDone: (sofar: number) => void) {
  let did = 0;
  let refused = 0;
  const step = async (body: Bulk) => {
    const answer = await actions.bulk({ ...body, action, why, dry_run: false });
    did += answer.done;
    refused += answer.failed?.length ?? 0;
    onDone(did);
    return answer;
  };
  if ("ids" in of) {
    for (const ids of parts(of.ids)) await step({ action, ids });
    return { did, refused };
  }
  // More than were counted, and the service refuses: somebody should look again. It takes a thousand at a time; with what
  // was done out of the way (a retried run stays failed) the same question must not find the same runs again.
  await step({ action, filter: of.filter, expected });
  return { did, refused };
}
