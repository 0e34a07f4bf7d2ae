import { useInfiniteQuery } from "@tanstack/react-query";
import { useCallback, useMemo, useState } from "react";
import { told } from "../../../api/problem";
import { queries } from "../../../api/queries";
import type { NodeView, ScopeRow } from "../../../api/types";
import { childScope, splitAt } from "../../../plan/scope";
import { duration } from "../../../time/format";
import { StatusDot } from "../../../ui/Status";
import { VirtualList } from "../../../ui/VirtualList";
import { innerLine } from "../looks";
import type { NodeProps } from "./NodeOf";

const ROW = 32;
const MOST_ROWS = 9;

/** What a node opened: the arms that were taken, or the items, those that failed first. */
export function Inside({ node, at, run, onChoose }: NodeProps) {
  const { inner } = node;
  if (!inner || inner.scopes === 0) return null;
  const { scope, node: name } = splitAt(at);
  const open = (key: string) => { onChoose(childScope(scope, name, key)); };
  return (
    <section>
      <h3>Inside <span className="quiet num">{innerLine(inner)}</span></h3>
      {inner.parked && inner.parked.length > 0 && (
        <p className="row wrap small">waits for an operator: {inner.parked.slice(0, 20).map((key) => <button key={key} type="button" className="chip" onClick={() => { open(key); }}>{key}</button>)}</p>
      )}
      {inner.keys && inner.keys.length > 0
        ? <p className="row wrap">{inner.keys.map((key) => <button key={key} type="button" className="chip" onClick={() => { open(key); }}>{key}</button>)}</p>
        : <Items run={run.id} at={at} node={node} onOpen={open} />}
      {!inner.keys?.length && <OpenItem onOpen={open} />}
    </section>
  );
}

const WHICH = ["failed", "running", "parked", "succeeded", "waiting"] as const;

/** The items of a foreach, a page at a time. */
function Items({ run, at, node, onOpen }: { run: string; at: string; node: NodeView; onOpen: (key: string) => void }) {
  const [status, setStatus] = useState<ScopeRow["status"] | undefined>((node.inner?.failed ?? 0) > 0 ? "failed" : undefined);
  const { data, error, hasNextPage, fetchNextPage, isFetchingNextPage } = useInfiniteQuery(queries.scopes(run, at, status));
  const items = useMemo(() => data?.pages.flatMap((page) => page.items) ?? [], [data]);
  const more = useCallback(() => { if (hasNextPage && !isFetchingNextPage) void fetchNextPage(); }, [hasNextPage, isFetchingNextPage, fetchNextPage]);
  return (
    <>
      <div className="row wrap item-states" role="group" aria-label="Items">
        {WHICH.map((one) => (
          <button key={one} type="button" className="chip" aria-pressed={status === one} onClick={() => { setStatus(status === one ? undefined : one); }}>{one}</button>
        ))}
      </div>
      {error && <p className="field-bad">{told(error).detail}</p>}
      {data && items.length === 0 && <p className="quiet small">None.</p>}
      {items.length > 0 && (
        <div className="items" style={{ height: Math.min(items.length, MOST_ROWS) * ROW + 2 }}>
          <VirtualList items={items} height={ROW} label="Items" keyOf={({ key }) => key} onEnd={more} row={(item) => (
            <span role="cell" className="contents"><button type="button" className="panel-item" onClick={() => { onOpen(item.key); }}>
              <StatusDot of={item.status} />
              <code>{item.key}</code>
              <span className="grow cut quiet small">{item.said}</span>
              {item.ended_at_ms != null && <span className="quiet small num">{duration(item.ended_at_ms - item.since_ms)}</span>}
            </button></span>
          )} />
        </div>
      )}
    </>
  );
}

/** Any item, by its key. */
function OpenItem({ onOpen }: { onOpen: (key: string) => void }) {
  const [key, setKey] = useState("");
  return (
    <form className="row" onSubmit={(event) => { event.preventDefault(); if (key !== "") onOpen(key); }}>
      <input className="input" aria-label="Key of an item" placeholder="Open an item by its key" value={key} spellCheck={false} onChange={(event) => { setKey(event.target.value); }} />
      <button type="submit" className="button" disabled={key === ""}>Open</button>
    </form>
  );
}
