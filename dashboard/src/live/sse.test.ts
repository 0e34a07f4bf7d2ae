import { expect, test } from "vitest";
import { Parser, type Told } from "./sse";

const text = 'id: 0\nevent: event\ndata: {"seq":0}\n\n: alive\n\nid: 1\r\nevent: event\r\ndata: a\r\ndata: b\r\n\r\ndata\n\n';
const events: Told[] = [
  { id: "0", name: "event", data: '{"seq":0}' },
  { id: "1", name: "event", data: "a\nb" },
  { id: "1", name: "message", data: "" },
];

test("a stream in one piece", () => {
  expect(new Parser().take(text)).toEqual(events);
});

test("a stream cut at every place", () => {
  for (let at = 0; at <= text.length; at++) {
    const parser = new Parser();
    expect([...parser.take(text.slice(0, at)), ...parser.take(text.slice(at))]).toEqual(events);
  }
});

test("a stream letter by letter", () => {
  const parser = new Parser();
  expect([...text].flatMap((letter) => parser.take(letter))).toEqual(events);
});
