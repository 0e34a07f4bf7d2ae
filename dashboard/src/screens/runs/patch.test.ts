import { expect, test } from "vitest";
import type { RunRow } from "../../api/types";
import { isEmptyHanded, patched, type Pages } from "./patch";

const run = (id: string, at: number, status: RunRow["status"] = "running"): RunRow => ({ id, flow: "f", status, started_at_ms: at, plan: "p", input_bytes: 0 } as RunRow);
const list = (): Pages => ({ pages: [{ items: [run("c", 30), run("b", 20)], next: "2" }, { items: [run("a", 10)] }], pageParams: [undefined, "2"] });
const ids = ({ pages }: Pages) => pages.map(({ items }) => items.map(({ id, status }) => `${id} ${status}`));

test("what is known is replaced where it stands", () => {
  expect(ids(patched(list(), [run("a", 10, "failed")], {}))).toEqual([["c running", "b running"], ["a failed"]]);
});

test("what is new stands at the top, the newest first, and what is old does not", () => {
  const news = [run("d", 40), run("e", 50), run("old", 5)];
  expect(ids(patched(list(), news, {}))).toEqual([["e running", "d running", "c running", "b running"], ["a running"]]);
});

test("what fits no longer leaves the list", () => {
  const asked = { status: "running" as const };
  expect(ids(patched(list(), [run("b", 20, "succeeded"), run("d", 40, "failed")], asked))).toEqual([["c running"], ["a running"]]);
});

test("a look that found nothing while there is more is no end", () => {
  expect(isEmptyHanded([{ items: [], next: "9", partial: true }])).toBe(true);
  expect(isEmptyHanded([{ items: [run("a", 1)], next: "9" }, { items: [], next: "8", partial: true }])).toBe(true);
  expect(isEmptyHanded([{ items: [], next: "9" }, { items: [run("a", 1)], next: "8" }])).toBe(false);
  for (const pages of [[], [{ items: [] }], [{ items: [], next: null }]]) expect(isEmptyHanded(pages)).toBe(false);
});
