import { expect, test } from "vitest";
import { hex, shown } from "./payload";

const bytes = (text: string) => new TextEncoder().encode(text);

test("JSON is parsed, other text is text", () => {
  expect(shown(bytes('{"a":[1]}'))).toEqual({ kind: "json", value: { a: [1] }, text: '{"a":[1]}' });
  expect(shown(bytes("<b>hallo</b>"))).toEqual({ kind: "text", text: "<b>hallo</b>" });
  expect(shown(bytes(""))).toEqual({ kind: "text", text: "" });
});

test("what is no text is shown as bytes", () => {
  expect(shown(new Uint8Array([0xff, 0xfe])).kind).toBe("bytes");
  expect(shown(new Uint8Array([0x61, 0x00])).kind).toBe("bytes");
});

test("a hex dump", () => {
  const line = "00000000  61 0a 62                                         a.b";
  expect(hex(bytes("a\nb"))).toBe(line);
  expect(hex(new Uint8Array(17)).split("\n")).toHaveLength(2);
});
