// Names of scopes and of nodes in them, as the API writes them: `outer[key]/node`.

/** A key as it stands in such a name. */
export function escapeKey(key: string): string {
  const marks: Record<string, string> = { "%": "%25", "/": "%2F", "[": "%5B", "]": "%5D", "\0": "%00" };
  return key.replace(/[%/[\]\0]/g, (mark) => marks[mark] ?? mark);
}

function unescapeKey(key: string): string {
  const marks: Record<string, string> = { "25": "%", "2F": "/", "5B": "[", "5D": "]", "00": "\0" };
  return key.replace(/%(25|2F|5B|5D|00)/g, (_, code: string) => marks[code] ?? "");
}

/** The scope that `node` of the scope `outer` opens for `key`; a basin has no key. */
export function childScope(outer: string, node: string, key: string | null): string {
  return inScope(outer, key === null ? node : `${node}[${escapeKey(key)}]`);
}

/** The whole name of a node in a scope. */
export function inScope(scope: string, node: string): string {
  return scope === "" ? node : `${scope}/${node}`;
}

/** The scope and the name of a node from its whole name. */
export function splitAt(at: string): { scope: string; node: string } {
  const cut = at.lastIndexOf("/");
  return cut < 0 ? { scope: "", node: at } : { scope: at.slice(0, cut), node: at.slice(cut + 1) };
}

/** The steps from the run to a scope, for people: `each[7]` and what it is called. */
export function steps(scope: string): { scope: string; label: string }[] {
  if (scope === "") return [];
  const parts = scope.split("/");
  return parts.map((part, at) => {
    const [, node = part, key] = /^([^[]*)\[(.*)\]$/.exec(part) ?? [];
    const label = key === undefined || key === "" ? node : `${node} [${unescapeKey(key)}]`;
    return { scope: parts.slice(0, at + 1).join("/"), label };
  });
}
