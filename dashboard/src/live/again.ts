// Asking again when there was news: soon, but not at every bit of it. News may come many times a second, and an answer may
// take longer than that: then the next question waits for the answer, and the last news is always followed by one.

/** So many times as long as an answer took, it is not asked again… */
const PATIENCE = 10;
/** …but no longer than this. */
const LATEST = 5_000;

export class Again {
  readonly #ask: () => Promise<unknown>;
  readonly #soonest: number;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isAsking = false;
  /** Whether another question is wanted when this one is answered. */
  #next: "none" | "soon" | "now" = "none";
  #notBefore = 0;
  #isOver = false;

  /** `ask` is called at most every `soonest` milliseconds, and never while it is under way. It must not fail. */
  constructor(ask: () => Promise<unknown>, soonest: number) {
    this.#ask = ask;
    this.#soonest = soonest;
  }

  /** There was news. With `isNow` it is asked at once, or as soon as what is asked now is answered. */
  news(isNow = false): void {
    if (this.#isOver) return;
    if (this.#isAsking) {
      this.#next = isNow || this.#next === "now" ? "now" : "soon";
      return;
    }
    if (this.#timer !== undefined && !isNow) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#go(), isNow ? 0 : Math.max(0, this.#notBefore - performance.now()));
  }

  /** Nobody wants to know any more. */
  end(): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
  }

  async #go(): Promise<void> {
    this.#timer = undefined;
    this.#isAsking = true;
    this.#next = "none";
    const before = performance.now();
    await this.#ask();
    const took = performance.now() - before;
    this.#notBefore = performance.now() + Math.min(Math.max(LATEST, this.#soonest), Math.max(this.#soonest, took * PATIENCE));
    this.#isAsking = false;
    if (this.#next !== "none") this.news(this.#next === "now");
  }
}
