import { expect, test } from "vitest";
import type { RunRow } from "../../api/types";
import { asBulk, asOptions, asked, fits, fromUrl, toUrl } from "./filters";

const run = (more: Partial<RunRow> = {}): RunRow => ({ id: "order-7", flow: "order", status: "failed", started_at_ms: 1_000_000, plan: "p", input_bytes: 1, labels: { region: "eu", who: "a:b" }, ...more } as RunRow);

test("an address and the filters in it are the same", () => {
  const text = "flow=order&status=failed&since=1h&q=no+card&label=region%3Aeu&label=who%3Aa%3Ab";
  const search = new URLSearchParams("tab=x");
  toUrl(fromUrl(new URLSearchParams(text)), search);
  expect(search.toString()).toBe(`tab=x&${text}`);
});

test("what makes no sense in an address is left out", () => {
  const filters = fromUrl(new URLSearchParams("status=nonsense&since=toString&label=none&flow="));
  expect(filters).toEqual({ flow: null, status: null, labels: [], since: null, words: "" });
  expect(asked(filters, 5)).toEqual({});
});

test("a list of the last hour is the same question for a minute", () => {
  const filters = fromUrl(new URLSearchParams("since=1h"));
  expect(asked(filters, 7_260_001)).toEqual(asked(filters, 7_319_999));
  expect(asked(filters, 7_260_001)).toEqual({ since_ms: 3_660_000 });
});

test("a run is in a list that it fits", () => {
  expect(fits(run(), { flow: "order", status: "failed", labels: ["region:eu", "who:a:b"], since_ms: 1_000_000 })).toBe(true);
  for (const other of [{ flow: "x" }, { status: "queued" as const }, { labels: ["region:us"] }, { since_ms: 1_000_001 }]) expect(fits(run(), other)).toBe(false);
});

test("a text is looked for in the id, the labels and the failure", () => {
  const failed = run({ failure: { kind: "error", text: "No Card" } });
  expect(["card", "ORDER-7", "a:b"].map((q) => fits(failed, { q }))).toEqual([true, true, true]);
  expect(["cash", "region"].map((q) => fits(failed, { q }))).toEqual([false, false]);
});

test("many at once are those of the list", () => {
  const of = (text: string) => asBulk(asked(fromUrl(new URLSearchParams(text)), 7_260_000));
  expect(of("status=failed&label=who:a:b&q=%20card%20&since=1h")).toEqual({ status: "failed", labels: { who: "a:b" }, q: "card", since_ms: 3_660_000 });
  expect(of("")).toEqual({});
});

test("the command is about the same runs, or there is none", () => {
  const of = (text: string) => asOptions(asBulk(asked(fromUrl(new URLSearchParams(text)), 7_260_000)));
  expect(of("flow=order&status=failed&label=who:a:b&label=region:eu&since=1h")).toEqual({
    flow: "order", status: "failed", label: ["who=a:b", "region=eu"], from: "1970-01-01T01:01",
  });
  expect(of("q=card")).toBeNull();
});
