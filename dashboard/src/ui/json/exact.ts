// JSON whose numbers stay as they were written. JavaScript knows no whole number beyond 2^53: an id of 64 bits would be shown as
// another id.

/** A number that would be another once it is parsed: its digits. */
export class Exact {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  toJSON(): string {
    return this.text;
  }
}

/** Texts, so that no digits in them are taken for numbers; and numbers. */
const TOKEN = /"[^"\\]*(?:\\.[^"\\]*)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/gs;

/** As `JSON.parse`, but for numbers that would not be written as they were: those are `Exact`. */
export function parseExact(text: string): unknown {
  const value = JSON.parse(text) as unknown;
  // Nobody who wrote the text can know it.
  const mark = `${Array.from(crypto.getRandomValues(new Uint32Array(4))).join("-")}:`;
  let isOther = false;
  const marked = text.replace(TOKEN, (token) => {
    if (token.startsWith("\"") || String(Number(token)) === token) return token;
    isOther = true;
    return `"${mark}${token}"`;
  });
  if (!isOther) return value;
  return JSON.parse(marked, (_, one: unknown) => (typeof one === "string" && one.startsWith(mark) ? new Exact(one.slice(mark.length)) : one)) as unknown;
}

/** Whether JSON holds a whole number that is another one once it is parsed. */
export function isRounded(json: string): boolean {
  return (json.match(TOKEN) ?? []).some((token) => /^-?\d+$/.test(token) && !Number.isSafeInteger(Number(token)));
}
