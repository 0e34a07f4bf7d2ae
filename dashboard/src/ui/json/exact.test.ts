import { expect, test } from "vitest";
import { Exact, isRounded, parseExact } from "./exact";

test("numbers that JavaScript has are numbers", () => {
  for (const text of ["1", "-7", "0.5", "1e+21", "9007199254740991", "[1,2]", '{"a":{"b":null}}']) expect(parseExact(text)).toEqual(JSON.parse(text));
});

test("others keep all that was written of them", () => {
  for (const digits of ["9007199254740993", "18446744073709551615", "-9223372036854775808", "0.1234567890123456789", "1e400", "1.0"]) {
    expect(parseExact(`{"id":[${digits},1]}`)).toEqual({ id: [new Exact(digits), 1] });
  }
});

test("digits in texts and names are left alone, whatever stands around them", () => {
  const text = String.raw`{"9007199254740993":"9007199254740993","a\"9007199254740993":"\\","b":[ "x\\\"", 9007199254740993 ]}`;
  expect(parseExact(text)).toEqual({ "9007199254740993": "9007199254740993", 'a"9007199254740993': "\\", b: ['x\\"', new Exact("9007199254740993")] });
});

test("a text as long as a payload is read", () => {
  const long = `x\\"1${"y".repeat(400_000)}`;
  expect(parseExact(`["${long}",9007199254740993]`)).toEqual([`x"1${"y".repeat(400_000)}`, new Exact("9007199254740993")]);
});

test("what is no JSON is none", () => {
  for (const text of ["", "01", "{", "[1,]", "9007199254740993 x"]) expect(() => parseExact(text)).toThrow();
});

test("it is known what a form would round", () => {
  expect(isRounded('{"id":18446744073709551615}')).toBe(true);
  for (const text of ['{"id":"18446744073709551615"}', "[1.0,1e3,0.1234567890123456789]", "no json"]) expect(isRounded(text)).toBe(false);
});
