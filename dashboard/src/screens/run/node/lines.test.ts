import { expect, test } from "vitest";
import { lineOf, placeOf, plain } from "./lines";

test("a link leads to a line, or to none", () => {
  for (const [search, line] of [["line=12", 12], ["", 0], ["line=", 0], ["line=-1", 0], ["line=1e3", 0], ["line=99999999999", 0]] as const) {
    expect(lineOf(new URLSearchParams(search))).toBe(line);
  }
});

test("a line's place names its node and keeps what else is said", () => {
  const place = placeOf({ path: "/runs/a", search: "?line=3&x=1" }, "each[a/b]/look", 7);
  expect(place).toBe("/runs/a?line=7&x=1&node=each%5Ba%2Fb%5D%2Flook");
});

test("colours of a terminal are left out, and nothing else", () => {
  expect(plain("\u001b[1;31mred\u001b[0m [31m \u001b]8;;http://x\u0007link\u001b]8;;\u0007")).toBe("red [31m link");
  expect(plain("a[0] = \u001b")).toBe("a[0] = \u001b");
});
