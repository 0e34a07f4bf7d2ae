import { expect, test } from "vitest";
import { match, path } from "./match";

test("parts are found by name, decoded", () => {
  expect(match("/runs/:id/:tab?", "/runs/a%2Fb/events")).toEqual({ id: "a/b", tab: "events" });
  expect(match("/runs/:id/:tab?", "/runs/x")).toEqual({ id: "x" });
});

test("what is too long, too short or other does not fit", () => {
  expect(match("/runs/:id", "/runs")).toBeNull();
  expect(match("/runs/:id", "/runs/a/b")).toBeNull();
  expect(match("/runs", "/flows")).toBeNull();
  expect(match("/", "/")).toEqual({});
});

test("a path that was made is matched again, and a broken one is taken as it is", () => {
  for (const id of ["a/b", "50%", "ü ?#", "..%2f"]) expect(match("/runs/:id", path("runs", id))).toEqual({ id });
  expect(match("/runs/:id", "/runs/50%")).toEqual({ id: "50%" });
});
