// What runs carry, made ready to be shown. It was written by others: it is bytes first, and JSON only if it parses.
import { parseExact } from "./exact";

export type Shown =
  | { kind: "json"; value: unknown; text: string }
  | { kind: "text"; text: string }
  | { kind: "bytes"; text: string };

/** The most that is shown; all of it can be downloaded. */
export const MOST_SHOWN = 512 * 1024;

export function shown(bytes: Uint8Array): Shown {
  const text = asText(bytes);
  if (text === null) return { kind: "bytes", text: hex(bytes.subarray(0, 4096)) };
  if (bytes.length <= MOST_SHOWN) {
    try {
      return { kind: "json", value: parseExact(text), text };
    } catch {
      // Then it is text.
    }
  }
  return { kind: "text", text: text.slice(0, MOST_SHOWN) };
}

function asText(bytes: Uint8Array): string | null {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    // eslint-disable-next-line no-control-regex -- that is what is looked for
    return /[\u0000-\u0008\u000e-\u001a\u001c-\u001f]/.test(text.slice(0, 4096)) ? null : text;
  } catch {
    return null;
  }
}

/** Bytes as a hex dump, 16 a line. */
export function hex(bytes: Uint8Array): string {
  const lines: string[] = [];
  for (let at = 0; at < bytes.length; at += 16) {
    const part = [...bytes.subarray(at, at + 16)];
    const codes = part.map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
    const letters = part.map((byte) => (byte >= 32 && byte < 127 ? String.fromCharCode(byte) : ".")).join("");
    lines.push(`${at.toString(16).padStart(8, "0")}  ${codes.padEnd(47)}  ${letters}`);
  }
  return lines.join("\n");
}
