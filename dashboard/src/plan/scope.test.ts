import { expect, test } from "vitest";
import { childScope, inScope, splitAt, steps } from "./scope";

test("scopes are named as the service names them", () => {
  expect(childScope("", "each", "50%/a")).toBe("each[50%25%2Fa]");
  expect(childScope("each[1]", "try", null)).toBe("each[1]/try");
  expect(inScope("each[1]", "pay")).toBe("each[1]/pay");
  expect(splitAt("each[1]/pay")).toEqual({ scope: "each[1]", node: "pay" });
  expect(splitAt("pay")).toEqual({ scope: "", node: "pay" });
});

test("the way to a scope", () => {
  expect(steps("")).toEqual([]);
  expect(steps("each[a%2Fb]/try")).toEqual([
    { scope: "each[a%2Fb]", label: "each [a/b]" },
    { scope: "each[a%2Fb]/try", label: "try" },
  ]);
});
