import { expect, test } from "vitest";
import { noOptions, optionsBody } from "./options";
import { asCommand, parsed, textOf } from "./start";

test("the command starts the same run, whatever stands in the input", () => {
  const options = { ...noOptions, id: "order-7", priority: "-3", minutes: "1.5", labels: [["tier", "gold and more"], ["", "x"]] as [string, string][] };
  expect(asCommand("checkout", `{"who":"it's"}`, options))
    .toBe(`vastflow start checkout --input '{"who":"it'\\''s"}' --id order-7 --priority -3 --deadline 90s --label 'tier=gold and more'`);
});

test("options are asked for only when they are given", () => {
  expect(optionsBody(noOptions)).toEqual({});
  const all = { id: " a ", labels: [["x", "1"]] as [string, string][], key: "k", lane: "gpu", priority: "-3", minutes: "1.5" };
  expect(optionsBody(all)).toEqual({ id: "a", labels: { x: "1" }, key: "k", lane: "gpu", priority: -3, deadline_in_ms: 90_000 });
});

test("options that cannot be are told", () => {
  for (const priority of ["high", "1.5", "1000"]) expect(optionsBody({ ...noOptions, priority }).problem).toContain("priority");
  for (const minutes of ["soon", "-1", "0"]) expect(optionsBody({ ...noOptions, minutes }).problem).toContain("time limit");
});

test("text is JSON if it parses", () => {
  expect(parsed("1")).toEqual({ isJson: true, value: 1 });
  expect(parsed("")).toEqual({ isJson: false });
  expect(textOf({ a: 1 })).toBe('{\n  "a": 1\n}');
});
