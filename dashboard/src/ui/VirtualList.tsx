import { useCallback, useEffect, useImperativeHandle, useLayoutEffect, useRef, useState, type ReactNode, type Ref } from "react";
import { cameBack } from "../router/router";
import { inSight } from "./window";

interface Props<T> {
  items: readonly T[];
  /** How high a row is, in pixels. */
  height: number;
  keyOf: (item: T) => string;
  row: (item: T, at: number) => ReactNode;
  label: string;
  /** The row to keep in sight. */
  chosen?: number | undefined;
  /** Called when the end comes into sight. */
  onEnd?: (() => void) | undefined;
  /** What stands above the rows, and stays there. */
  head?: ReactNode;
  foot?: ReactNode;
  /** Called with how far down the list is. */
  onScroll?: (top: number) => void;
  handle?: Ref<{ top: () => void }>;
  /** The name under which it is remembered how far down it was, for who comes back. */
  keep?: string;
}

/** How far down lists were. */
const kept = new Map<string, number>();

/** So near to the end, more is asked for. */
const NEAR_END = 80;

/**
 * A list of any length. All rows are of one height, so which ones are in sight is a division; only they are on the page.
 */
export function VirtualList<T>({ items, height, keyOf, row, label, chosen, onEnd, head, foot, onScroll, handle, keep }: Props<T>) {
  const box = useRef<HTMLDivElement>(null);
  const rows = useRef<HTMLDivElement>(null);
  const [sight, setSight] = useState({ from: 0, to: 40 });

  const look = useCallback(() => {
    if (!box.current || !rows.current) return;
    const { scrollTop, clientHeight } = box.current;
    const next = inSight(scrollTop - rows.current.offsetTop, clientHeight, height, items.length);
    setSight((before) => (before.from === next.from && before.to === next.to ? before : next));
  }, [height, items.length]);

  useLayoutEffect(() => {
    if (keep !== undefined && cameBack()) box.current?.scrollTo({ top: kept.get(keep) ?? 0 });
    // eslint-disable-next-line react-hooks/exhaustive-deps -- once, when somebody comes back
  }, []);
  useLayoutEffect(look, [look]);
  useEffect(() => {
    if (!box.current) return;
    const watch = new ResizeObserver(look);
    watch.observe(box.current);
    return () => { watch.disconnect(); };
  }, [look]);
  useEffect(() => {
    if (items.length > 0 && sight.to >= items.length - NEAR_END) onEnd?.();
  }, [sight.to, items.length, onEnd]);
  useEffect(() => {
    if (!box.current || !rows.current || chosen === undefined || chosen < 0) return;
    reveal(box.current, rows.current.offsetTop, chosen * height, height);
  }, [chosen, height]);
  useImperativeHandle(handle, () => ({ top: () => { box.current?.scrollTo({ top: 0 }); } }), []);

  return (
    <div ref={box} className="virtual" role="table" aria-label={label} aria-rowcount={items.length} tabIndex={0}
      onScroll={(event) => { look(); if (keep !== undefined) kept.set(keep, event.currentTarget.scrollTop); onScroll?.(event.currentTarget.scrollTop); }}>
      {head}
      <div ref={rows} className="virtual-rows" role="rowgroup" style={{ height: items.length * height }}>
        {items.slice(sight.from, sight.to).map((item, index) => {
          const at = sight.from + index;
          return (
            <div key={keyOf(item)} className="virtual-row" role="row" aria-rowindex={at + 1} style={{ height, transform: `translateY(${at * height}px)` }}>
              {row(item, at)}
            </div>
          );
        })}
      </div>
      {foot}
    </div>
  );
}

/** Scrolls as little as is needed. What stands above the rows covers `head` pixels of the box. */
function reveal(box: HTMLElement, head: number, top: number, height: number): void {
  if (top < box.scrollTop) box.scrollTo({ top });
  else if (top + height + head > box.scrollTop + box.clientHeight) box.scrollTo({ top: top + height + head - box.clientHeight });
}
