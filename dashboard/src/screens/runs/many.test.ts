import { expect, test } from "vitest";
import { Refused } from "../../api/problem";
import type { BulkDone } from "../../api/types";
import { A_TIME, doAll, find, inWords, look, MOST, summed, type Found } from "./many";

const ids = (from: number, to: number) => Array.from({ length: to - from }, (_, at) => `run-${from + at}`);
const rows = (of: readonly string[]) => of.map((id) => ({ id }));
const never = new AbortController().signal;
const nobody = () => undefined;
const answer = (more: Partial<BulkDone>): BulkDone => ({ dry_run: false, matched: 0, done: 0, sample: [], more: false, ...more });
const found = (matched: number, isAll: boolean): Found => ({ ids: ids(0, matched), matched, isAll, refused: [] });
const gone = new Refused({ status: 0, code: "unreachable", title: "The service cannot be reached", detail: "" });

test("what fits is found behind pages on which nothing does", async () => {
  const pages: Record<string, { items: { id: string }[]; next?: string }> = {
    start: { items: [], next: "9" }, 9: { items: [], next: "8" }, 8: { items: rows(ids(0, 700)), next: "7" }, 7: { items: rows(ids(600, 900)) },
  };
  const asked: (string | undefined)[] = [];
  const heard: number[] = [];
  const all = await find((before) => { asked.push(before); return Promise.resolve(pages[before ?? "start"] ?? { items: [] }); }, never, (n) => heard.push(n));
  expect(asked).toEqual([undefined, "9", "8", "7"]);
  // Who was listed twice, because the list moved meanwhile, is asked once.
  expect(all).toMatchObject({ matched: 900, isAll: true, ids: ids(0, 900) });
  expect(heard).toEqual([0, 0, 700]);
});

test("it is enough when somebody says so, and what was found until then is kept", async () => {
  const cut = new AbortController();
  const page = (before?: string) => {
    if (before === undefined) return Promise.resolve({ items: rows(ids(0, 5)), next: "5" });
    cut.abort();
    return Promise.reject(new DOMException("cut", "AbortError"));
  };
  expect(await find(page, cut.signal, nobody)).toMatchObject({ matched: 5, isAll: false });
});

test("counting ends, however many there are", async () => {
  let at = 0;
  const many = await find(() => Promise.resolve({ items: rows(ids(at, at += A_TIME)), next: String(at) }), never, nobody);
  expect(many).toMatchObject({ matched: MOST, isAll: false });
  let looks = 0;
  const none = await find(() => Promise.resolve({ items: [], next: String(++looks) }), never, nobody);
  expect(none).toMatchObject({ matched: 0, isAll: false });
  expect(looks).toBe(500);
});

test("a page that could not be read is no end of the list", async () => {
  const page = (before?: string) => (before === undefined ? Promise.resolve({ items: rows(["a"]), next: "1" }) : Promise.reject(gone));
  await expect(find(page, never, nobody)).rejects.toBe(gone);
});

test("nobody is told that there is none while not all was looked at", () => {
  expect(inWords(0, "Retry")).toBe("0 runs so far, counting…");
  expect(inWords(found(0, true), "Retry")).toBe("No run can be asked to retry");
  expect(inWords(found(0, false), "Retry")).toMatch(/^None so far .* not all runs were looked at/);
  expect(inWords(found(1, true), "Retry")).toBe("1 run");
  expect(inWords(found(3, false), "Retry")).toMatch(/^The newest 3 runs: not all were looked at, and only these/);
});

test("runs that were named are looked at, and why of some not", async () => {
  const one = await look(ids(0, A_TIME + 2), (part) => Promise.resolve(answer({
    matched: part.length - 1, failed: [{ id: part[0] ?? "", code: "no-such-run", detail: "there is no such run" }],
  })));
  expect(one).toMatchObject({ matched: A_TIME, isAll: true, refused: ["there is no such run", "there is no such run"] });
});

test("all are asked, a thousand at a time, and each once", async () => {
  const asked: string[][] = [];
  const heard: number[] = [];
  const did = await doAll(ids(0, 2_300), (part) => { asked.push(part); return Promise.resolve(answer({ done: part.length - 100 })); }, never, (n) => heard.push(n));
  expect(asked.map((part) => part.length)).toEqual([1_000, 1_000, 300]);
  expect(asked.flat()).toEqual(ids(0, 2_300));
  // The service names a hundred of those that it refused; there may be more.
  expect(did).toEqual({ did: 2_000, refused: 300, left: 0 });
  expect(heard).toEqual([900, 1_800, 2_000]);
});

test("what broke off is not told as if it were all", async () => {
  let parts = 0;
  const did = await doAll(ids(0, 2_300), (part) => (parts++ === 0 ? Promise.resolve(answer({ done: part.length })) : Promise.reject(gone)), never, nobody);
  expect(did).toEqual({ did: 1_000, refused: 0, left: 1_300, error: gone });
  expect(summed(did, "retried")).toBe("1,000 retried; of 1,300 it is not known: The service cannot be reached");
  const cut = new AbortController();
  const some = await doAll(ids(0, 2_300), (part) => { cut.abort(); return Promise.resolve(answer({ done: part.length - 1 })); }, cut.signal, nobody);
  expect(summed(some, "retried")).toBe("999 retried; 1 could not be; 1,300 were not asked any more");
  expect(summed({ did: 5, refused: 0, left: 0 }, "retried")).toBe("5 retried");
});
