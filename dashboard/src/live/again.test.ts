import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Again } from "./again";

beforeEach(() => { vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] }); });
afterEach(() => { vi.useRealTimers(); });

/** Something that is asked, and answers after so long. */
function asked(takes: number) {
  const at: number[] = [];
  const ask = () => {
    at.push(performance.now());
    return new Promise((done) => setTimeout(done, takes));
  };
  return { at, ask };
}

test("news of a burst is asked for once, and once more after the last of it", async () => {
  const { at, ask } = asked(1);
  const again = new Again(ask, 1_000);
  const began = performance.now();
  for (let n = 0; n < 20; n++) {
    again.news();
    await vi.advanceTimersByTimeAsync(25);
  }
  await vi.advanceTimersByTimeAsync(5_000);
  expect(at.map((one) => Math.round((one - began) / 1_000))).toEqual([0, 1]);
});

test("an answer that takes long is waited for, and then it is asked less often", async () => {
  const { at, ask } = asked(300);
  const again = new Again(ask, 100);
  const began = performance.now();
  for (let n = 0; n < 40; n++) {
    again.news();
    await vi.advanceTimersByTimeAsync(250);
  }
  // 300 ms to answer, ten times as long to rest.
  expect(at.map((one) => Math.round((one - began) / 100))).toEqual([0, 33, 66, 99]);
});

test("the last news does not wait, but for an answer that is on its way", async () => {
  const { at, ask } = asked(50);
  const again = new Again(ask, 1_000);
  const began = performance.now();
  again.news();
  await vi.advanceTimersByTimeAsync(10);
  again.news(true);
  await vi.advanceTimersByTimeAsync(60);
  expect(at.map((one) => Math.floor((one - began) / 10))).toEqual([0, 5]);
});

test("nothing is asked once it is over", async () => {
  const { at, ask } = asked(50);
  const again = new Again(ask, 1_000);
  again.news();
  again.end();
  again.news(true);
  await vi.advanceTimersByTimeAsync(5_000);
  expect(at).toEqual([]);
});
