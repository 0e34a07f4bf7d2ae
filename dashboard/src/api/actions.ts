// What can be asked of a run. The words are those of the command and of the API.
import { apiUrl, ask, send, sendBytes } from "./http";
import type { Accepted, Bulk, BulkDone, ForkRun, MadeToken, NewToken, Resolve, RunRow, StartRun } from "./types";

/** Verbs that take a reason and nothing else. */
export type Verb = "pause" | "resume" | "stop" | "kill" | "retry" | "rerun";

export const actions = {
  verb: (id: string, verb: Verb, why: string) => ask<RunRow>("POST", ["runs", id, verb], { why }),
  delete: (id: string, why: string) => ask<null>("DELETE", ["runs", id], undefined, { why: why || undefined }),
  signal: (id: string, name: string, body: string, scope = "") =>
    sendBytes(["runs", id, "signals", name], body, { scope: scope || undefined }),
  bulk: (body: Bulk) => ask<BulkDone>("POST", ["runs", "bulk"], body),
  makeToken: (body: NewToken) => ask<MadeToken>("POST", ["tokens"], body),
  revokeToken: (id: string) => ask<null>("DELETE", ["tokens", id]),
  start: (body: StartRun) => ask<{ id: string }>("POST", ["runs"], body),
};

/** Starts a run with an input that was typed as JSON. */
export function startWith(body: Omit<StartRun, "input">, input: string): Promise<Accepted> {
  return askWith(["runs"], body, "input", input);
}

/** Starts a run from a node of another on, which gets or gave what was typed as JSON, if anything was. */
export function fork(id: string, body: Omit<ForkRun, "input" | "output">, which?: "input" | "output", typed = ""): Promise<RunRow> {
  const path = ["runs", id, "fork"];
  return which === undefined ? ask<RunRow>("POST", path, body) : askWith(path, body, which, typed);
}

/** Decides about a node that waits for an operator; what it gave was typed as JSON, if it was done by hand. */
export function resolve(id: string, body: Omit<Resolve, "output">, output?: string): Promise<RunRow> {
  const path = ["runs", id, "resolve"];
  return output === undefined ? ask<RunRow>("POST", path, body) : askWith(path, body, "output", output);
}

/** Asks with a value that was typed as JSON. It is sent as it stands: numbers keep all their digits. */
async function askWith<T>(path: readonly string[], body: object, name: string, json: string): Promise<T> {
  const rest = JSON.stringify(body).slice(0, -1);
  const response = await send(apiUrl(path), { method: "POST", headers: { "content-type": "application/json" }, body: `${rest},"${name}":${json}}` });
  return (await response.json()) as T;
}

/** Starts a run with bytes as they are. */
export async function startWithBytes(flow: string, id: string, input: BodyInit): Promise<Accepted> {
  // What says that it is JSON, and is not, is taken as the bytes that it is; a cookie is good for nothing else.
  const headers: Record<string, string> = { "content-type": "application/json", "x-async": "true" };
  if (id !== "") headers["x-request-id"] = id;
  const response = await send(apiUrl(["..", "..", "flow", flow]), { method: "POST", headers, body: input });
  return (await response.json()) as Accepted;
}
