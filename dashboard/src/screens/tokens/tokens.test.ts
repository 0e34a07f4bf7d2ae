import { expect, test } from "vitest";
import { newToken } from "./tokens";

test("a form becomes a request", () => {
  const draft = { name: " ann ", right: "operator", seesPayloads: true, flows: "order*, mail  x", days: "30" } as const;
  expect(newToken(draft)).toEqual({ name: "ann", scopes: ["operator", "payload:read"], flows: ["order*", "mail", "x"], days: 30 });
  expect(newToken({ ...draft, seesPayloads: false, flows: "", days: "" })).toMatchObject({ scopes: ["operator"], flows: [], days: null });
});
