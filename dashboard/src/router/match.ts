/** The parts of a path that fit a pattern's `:names`, or null. `/runs/:id/:tab?`: a `?` says that a part may be absent. */
export function match(pattern: string, path: string): Record<string, string> | null {
  const wanted = pattern.split("/").filter(Boolean);
  const given = path.split("/").filter(Boolean);
  if (given.length > wanted.length) return null;
  const found: Record<string, string> = {};
  for (const [at, part] of wanted.entries()) {
    const text = given[at];
    const name = /^:(\w+)(\??)$/.exec(part);
    if (text === undefined) {
      if (name?.[2] !== "?") return null;
    } else if (name?.[1]) {
      found[name[1]] = decode(text);
    } else if (part !== text) {
      return null;
    }
  }
  return found;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** A path from parts that may hold any character. */
export function path(...parts: string[]): string {
  return `/${parts.map(encodeURIComponent).join("/")}`;
}
