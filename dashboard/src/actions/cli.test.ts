import { expect, test } from "vitest";
import { command, quote } from "./cli";

test("what a shell would misread is quoted", () => {
  expect(["order-7", "a b", "it's", "", "$(rm)"].map(quote)).toEqual(["order-7", "'a b'", String.raw`'it'\''s'`, "''", "'$(rm)'"]);
});

test("commands", () => {
  expect(command(["runs", "stop", "order-7"], { why: "not needed", by: undefined })).toBe("vastflow runs stop order-7 --why 'not needed'");
  expect(command(["runs", "show", "-x"], { within: "each[7]" })).toBe("vastflow runs show --within 'each[7]' -- -x");
});

test("an option may be given again", () => {
  expect(command(["runs", "stop"], { label: ["a=1", "b=x y"], flow: undefined })).toBe("vastflow runs stop --label a=1 --label 'b=x y'");
});
