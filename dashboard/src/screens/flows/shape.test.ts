import { expect, test } from "vitest";
import { blank, fitted, problemOf, shapeOf, UNREAD, variantOf } from "./shape";

const order = shapeOf({
  type: "object",
  required: ["cents", "delivery", "items"],
  properties: {
    note: { anyOf: [{ type: "string" }, { type: "null" }] },
    cents: { type: "integer" },
    delivery: { "x-variants": ["parcel", "pickup"] },
    items: { type: "array", items: { type: "string" } },
  },
});
const good = { cents: 1, delivery: "parcel", items: ["a"] };

test("what must be said comes first", () => {
  expect(order.kind === "fields" && order.fields.map((field) => field.name)).toEqual(["cents", "delivery", "items", "note"]);
});

test("a blank order lacks its number, and nothing else", () => {
  expect(blank(order)).toEqual({ cents: UNREAD, delivery: "parcel", items: [], note: null });
  expect(problemOf(order, blank(order))).toBe("cents: a whole number is missing");
  expect(problemOf(order, good)).toBeNull();
});

test("a problem says where", () => {
  const check = (change: object, expected: string) => { expect(problemOf(order, { ...good, ...change })).toBe(expected); };
  check({ items: ["a", 1] }, "items.1: this should be a text");
  check({ delivery: "drone" }, "delivery: this should be one of parcel, pickup");
  check({ note: 5 }, "note: this should be a text");
  check({ cents: 1.5 }, "cents: this should be a whole number (one that is too large for a form can be typed as JSON)");
  expect(problemOf(order, { delivery: "parcel", items: [] })).toBe("cents: it is missing");
});

test("a variant may hold something", () => {
  expect(variantOf("a")).toBe("a");
  expect(variantOf({ a: { b: 1 } })).toBe("a");
  expect(variantOf({ a: 1, b: 2 })).toBeNull();
  expect(problemOf({ kind: "variants", names: ["a"] }, { a: 5 })).toBeNull();
});

test("tuples, maps, and what nobody knows", () => {
  const pair = shapeOf({ type: "array", prefixItems: [{ type: "integer" }, { type: "boolean" }], minItems: 2, maxItems: 2 });
  expect(problemOf(pair, [1, true])).toBeNull();
  expect(problemOf(pair, [1])).toBe("this should be 2 values");
  const map = shapeOf({ type: "object", additionalProperties: { type: "number" } });
  expect(problemOf(map, { a: 1.5 })).toBeNull();
  expect(problemOf(map, { a: "b" })).toBe("a: this should be a number");
  expect(shapeOf({})).toEqual({ kind: "any" });
  expect(shapeOf(null)).toEqual({ kind: "any" });
});

test("a schema that goes on and on ends in JSON", () => {
  const deep = Array.from({ length: 20 }).reduce<object>((inner) => ({ type: "array", items: inner }), { type: "string" });
  expect(JSON.stringify(shapeOf(deep))).toContain("any");
});

test("the input of an older run is taken if it still fits", () => {
  expect(fitted(order, good)).toBe(good);
  expect(fitted(order, { other: 1 })).toEqual(blank(order));
});
