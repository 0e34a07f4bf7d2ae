// Times and durations as people read them.

/** A duration in at most two units: `340 µs`, `12 ms`, `1.24 s`, `2 min 5 s`, `3 h 20 min`, `4 d 2 h`. */
export function duration(ms: number): string {
  if (!Number.isFinite(ms) || ms < 0) return "–";
  if (ms === 0) return "0 ms";
  if (ms < 1) return `${Math.round(ms * 1000)} µs`;
  if (ms < 999.5) return ms < 9.95 ? `${trim(ms, 1)} ms` : `${Math.round(ms)} ms`;
  if (ms < 59_950) return `${trim(ms / 1000, ms < 9_995 ? 2 : 1)} s`;
  return twoUnits(Math.round(ms / 1000));
}

function trim(value: number, digits: number): string {
  return value.toFixed(digits).replace(/\.?0+$/, "");
}

const UNITS = [["d", 86_400], ["h", 3_600], ["min", 60], ["s", 1]] as const;

function twoUnits(seconds: number): string {
  const first = Math.max(0, UNITS.findIndex(([, size]) => seconds >= size));
  const [name, size] = UNITS[first] ?? UNITS[3];
  const count = Math.floor(seconds / size);
  const next = UNITS[first + 1];
  if (!next) return `${count} ${name}`;
  const rest = Math.floor((seconds % size) / next[1]);
  return rest === 0 ? `${count} ${name}` : `${count} ${name} ${rest} ${next[0]}`;
}

/** How long ago, coarsely: `now`, `12 s ago`, `3 min ago`, `in 5 min`. */
export function ago(at: number, now: number): string {
  const away = Math.abs(now - at);
  if (away < 1_000) return "now";
  const seconds = Math.floor(away / 1000);
  const [name, size] = UNITS.find(([, size]) => seconds >= size) ?? UNITS[3];
  const text = `${Math.floor(seconds / size)} ${name}`;
  return at > now ? `in ${text}` : `${text} ago`;
}

export type Zone = "local" | "utc";

function formatter(zone: Zone, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  // `sv-SE` writes 2026-11-22 10:05:07: the same everywhere, and it sorts.
  return new Intl.DateTimeFormat("sv-SE", { ...options, ...(zone === "utc" ? { timeZone: "UTC" } : {}) });
}

const CLOCK: Intl.DateTimeFormatOptions = { hour: "2-digit", minute: "2-digit", second: "2-digit" };
const DATE: Intl.DateTimeFormatOptions = { year: "numeric", month: "2-digit", day: "2-digit" };
const known = new Map<string, Intl.DateTimeFormat>();

function format(zone: Zone, kind: "clock" | "full" | "date"): Intl.DateTimeFormat {
  const key = zone + kind;
  let found = known.get(key);
  if (!found) {
    found = formatter(zone, kind === "clock" ? CLOCK : kind === "date" ? DATE : { ...DATE, ...CLOCK });
    known.set(key, found);
  }
  return found;
}

/** `10:05:07`, with milliseconds if asked for. */
export function clock(at: number, zone: Zone, withMillis = false): string {
  const text = format(zone, "clock").format(at);
  return withMillis ? `${text}.${String(Math.floor(at) % 1000).padStart(3, "0")}` : text;
}

/** `2026-11-22 10:05:07`. */
export function full(at: number, zone: Zone): string {
  return `${format(zone, "full").format(at)}${zone === "utc" ? " UTC" : ""}`;
}

/** `2026-11-22`. */
export function date(at: number, zone: Zone): string {
  return format(zone, "date").format(at);
}

/** `1,234`; from ten thousand on short: `12.3k`, `4.5M`. */
export function count(value: number): string {
  if (value < 10_000) return whole(value);
  if (value < 999_500) return `${trim(value / 1000, value < 100_000 ? 1 : 0)}k`;
  return `${trim(value / 1_000_000, 1)}M`;
}

/** `12,345`: all of it, where it says what something is about. */
export function whole(value: number): string {
  return value.toLocaleString("en-GB");
}

/** `0 B`, `512 B`, `1.2 kB`, `3.4 MB`. */
export function bytes(size: number): string {
  if (size < 1000) return `${size} B`;
  if (size < 999_950) return `${trim(size / 1000, 1)} kB`;
  return `${trim(size / 1_000_000, 1)} MB`;
}
