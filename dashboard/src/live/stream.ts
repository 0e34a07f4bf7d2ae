// The one stream of the tab. Screens say what they follow; the last that said so is followed. What comes is handed on at
// most four times a second. A hidden tab follows nothing; a stream that broke goes on behind the last event that came.
import { send } from "../api/http";
import { Refused } from "../api/problem";
import { Parser, type Told } from "./sse";

export type LiveState = "off" | "connecting" | "live" | "paused" | "reconnecting" | "over";

type Listener = (news: Told[]) => void;

interface Follower {
  url: string;
  listener: Listener;
  /** Where to go on: what the screen has seen already. */
  lastId: string | null;
  isOver: boolean;
}

/** How often what came is handed on. */
const BEAT = 250;
/** How long a tab may be hidden before its stream is let go of. */
const HIDDEN = 3_000;
/** A stream that says nothing for so long is dead: the service says something every 15 s. */
const SILENCE = 40_000;
const FIRST_WAIT = 500;
const LONGEST_WAIT = 15_000;

class Live {
  #followers: Follower[] = [];
  #state: LiveState = "off";
  #listeners = new Set<() => void>();
  #cut: AbortController | null = null;
  #followed: Follower | null = null;
  #news: Told[] = [];
  #beat: ReturnType<typeof setTimeout> | undefined;
  #hidden: ReturnType<typeof setTimeout> | undefined;

  constructor() {
    document.addEventListener("visibilitychange", () => { this.#seen(); });
  }

  get state(): LiveState {
    return this.#state;
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** Follows a stream until what is given back is called. */
  follow(url: URL, listener: Listener, lastId: string | null = null): () => void {
    const follower = { url: url.href, listener, lastId, isOver: false };
    this.#followers.push(follower);
    this.#turn();
    return () => {
      this.#followers = this.#followers.filter((other) => other !== follower);
      this.#turn();
    };
  }

  #say(state: LiveState): void {
    if (state === this.#state) return;
    this.#state = state;
    this.#listeners.forEach((listener) => { listener(); });
  }

  #seen(): void {
    clearTimeout(this.#hidden);
    if (document.hidden) this.#hidden = setTimeout(() => { this.#turn(); }, HIDDEN);
    else this.#turn();
  }

  /** Sees to it that the right stream is followed, or none. */
  #turn(): void {
    const wanted = this.#followers.at(-1) ?? null;
    const isWanted = wanted !== null && !wanted.isOver && !document.hidden;
    if (isWanted && wanted === this.#followed) return;
    // What came belongs to who followed until now.
    this.#flush();
    this.#cut?.abort();
    this.#cut = null;
    this.#followed = null;
    if (!isWanted) {
      this.#say(wanted === null ? "off" : wanted.isOver ? "over" : "paused");
      return;
    }
    this.#followed = wanted;
    this.#cut = new AbortController();
    void this.#run(wanted, this.#cut.signal);
  }

  async #run(follower: Follower, signal: AbortSignal): Promise<void> {
    let wait = FIRST_WAIT;
    this.#say("connecting");
    while (!signal.aborted && !follower.isOver) {
      try {
        await this.#read(follower, signal, () => { wait = FIRST_WAIT; });
      } catch (error) {
        if (signal.aborted) return;
        if (isForGood(error)) {
          follower.isOver = true;
          break;
        }
      }
      if (signal.aborted) return;
      if (follower.isOver) break;
      this.#say("reconnecting");
      // Tabs that lost the same service do not come back all at once.
      await sleep(wait * (0.75 + Math.random() / 2), signal);
      wait = Math.min(wait * 2, LONGEST_WAIT);
    }
    if (!signal.aborted) this.#turn();
  }

  async #read(follower: Follower, signal: AbortSignal, onOpen: () => void): Promise<void> {
    const cut = new AbortController();
    const end = () => { cut.abort(); };
    signal.addEventListener("abort", end);
    let silence = setTimeout(end, SILENCE);
    try {
      const headers: Record<string, string> = { accept: "text/event-stream" };
      if (follower.lastId !== null) headers["last-event-id"] = follower.lastId;
      const response = await send(new URL(follower.url), { headers, signal: cut.signal });
      const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
      this.#say("live");
      onOpen();
      const parser = new Parser();
      for (;;) {
        const piece = await reader?.read();
        if (!piece || piece.done) return;
        clearTimeout(silence);
        silence = setTimeout(end, SILENCE);
        for (const told of parser.take(piece.value)) this.#take(follower, told);
      }
    } finally {
      clearTimeout(silence);
      signal.removeEventListener("abort", end);
    }
  }

  #take(follower: Follower, told: Told): void {
    follower.lastId = told.id ?? follower.lastId;
    if (told.name === "end") follower.isOver = true;
    this.#news.push(told);
    this.#beat ??= setTimeout(() => { this.#flush(); }, BEAT);
  }

  #flush(): void {
    clearTimeout(this.#beat);
    this.#beat = undefined;
    const news = this.#news;
    this.#news = [];
    if (news.length > 0) this.#followed?.listener(news);
  }
}

/** Whether asking again would be answered the same. */
function isForGood(error: unknown): boolean {
  return error instanceof Refused && [400, 401, 403, 404].includes(error.status);
}

function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((done) => {
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", () => { clearTimeout(timer); done(); }, { once: true });
  });
}

export const live = new Live();
