// The journal of the run that is looked at. Pages and the stream both bring it; each event is kept once, in order.
import type { EventRow } from "../../api/types";

/** How many scopes of a node have ended, and failed. */
export interface Tally {
  ended: number;
  failed: number;
}

export class Log {
  readonly run: string;
  #events: EventRow[] = [];
  #isWhole = false;
  #tally: ReadonlyMap<string, Tally> = new Map();
  #listeners = new Set<() => void>();

  constructor(run: string) {
    this.run = run;
  }

  get events(): readonly EventRow[] {
    return this.#events;
  }

  /** Whether all that was recorded so far is here. */
  get isWhole(): boolean {
    return this.#isWhole;
  }

  /** What has ended of what each node opened, counted as the events come: sooner than a view says it. */
  get tally(): ReadonlyMap<string, Tally> {
    return this.#tally;
  }

  /** The place of the next event that is not here. */
  get next(): number {
    return this.#events.length;
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** Takes events. What is here already, and what lies behind a gap, is left out. */
  take(events: readonly EventRow[], isWhole = this.#isWhole): void {
    const news: EventRow[] = [];
    for (const event of events) if (event.seq === this.next + news.length) news.push(event);
    if (news.length === 0 && isWhole === this.#isWhole) return;
    // A new list, so that who shows it sees that it is another.
    if (news.length > 0) this.#events = [...this.#events, ...news];
    this.#count(news);
    this.#isWhole = isWhole;
    this.#listeners.forEach((listener) => { listener(); });
  }

  #count(news: readonly EventRow[]): void {
    const ended = news.filter(({ kind, node }) => kind === "ChildEnded" && node != null);
    if (ended.length === 0) return;
    const tally = new Map(this.#tally);
    for (const { node, text } of ended) {
      const before = tally.get(node ?? "") ?? { ended: 0, failed: 0 };
      tally.set(node ?? "", { ended: before.ended + 1, failed: before.failed + (text.startsWith("✗") ? 1 : 0) });
    }
    this.#tally = tally;
  }
}
