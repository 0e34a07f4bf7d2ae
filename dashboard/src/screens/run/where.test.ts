import { expect, test } from "vitest";
import { failedAt, ownWords } from "./where";

const failure = (node: string | null, text: string) => ({ kind: "error", node, text });

test("the node that failed, however deep", () => {
  expect(failedAt(failure("pay", "no money"))).toBe("pay");
  expect(failedAt(failure("send", "[parcel] ship-parcel: no carrier"))).toBe("send[parcel]/ship-parcel");
  expect(failedAt(failure("each", "[a/b] try: [] inner: x: y"))).toBe("each[a%2Fb]/try/inner");
  expect(failedAt(failure(null, "time is up"))).toBeNull();
  expect(failedAt(null)).toBeNull();
});

test("what it said itself", () => {
  expect(ownWords("[parcel] ship-parcel: no carrier: none\nat all")).toBe("no carrier: none\nat all");
  expect(ownWords("[note] is no node")).toBe("[note] is no node");
});
