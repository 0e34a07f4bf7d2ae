import { expect, test } from "vitest";
import type { RunLogs } from "../../../api/types";
import { NO_LINES, readOn } from "./readOn";

const line = (text: string): RunLogs["lines"][number] => ({ at_ms: 0, attempt: 1, after_us: 0, level: "INFO", text });
const texts = (lines: RunLogs["lines"]) => lines.map(({ text }) => text).join("");

/** A log in pages, by what they are asked for with. */
function log(pages: Record<string, RunLogs>) {
  const asked: string[] = [];
  const page = (after: string | undefined) => {
    asked.push(after ?? "first");
    return Promise.resolve(pages[after ?? "first"] ?? { lines: [], dropped: 0, seen: after ?? "0" });
  };
  return { asked, page };
}

test("all pages are read, and later only what came since", async () => {
  const { asked, page } = log({
    first: { lines: [line("a"), line("b")], dropped: 1, next: "4", seen: "4" },
    4: { lines: [line("c")], dropped: 2, seen: "6" },
  });
  const first = await readOn(NO_LINES, page);
  expect([texts(first.lines), first.dropped, first.isMore, first.seen]).toEqual(["abc", 3, false, "6"]);
  const second = await readOn(first, (after) => (after === "6" ? Promise.resolve({ lines: [line("d")], dropped: 0, seen: "9" }) : page(after)));
  expect([texts(second.lines), second.dropped, second.seen]).toEqual(["abcd", 3, "9"]);
  expect(asked).toEqual(["first", "4"]);
});

test("a log without an end is read to so many lines", async () => {
  const lines = Array.from({ length: 5_000 }, () => line("x"));
  let pages = 0;
  const endless = () => { pages += 1; return Promise.resolve({ lines, dropped: 0, next: String(pages), seen: String(pages) }); };
  const read = await readOn(NO_LINES, endless);
  expect([read.lines.length, read.isMore, pages]).toEqual([50_000, true, 10]);
  expect(await readOn(read, endless)).toBe(read);
});
