// Requests to the service. Every call goes through `send`; nothing else in the page calls `fetch`.
import { hearTime } from "../time/now";
import { apiBase } from "./base";
import { Refused } from "./problem";
import { authHeaders, tellSignedOut } from "./session";

export type Params = Record<string, string | number | boolean | readonly string[] | null | undefined>;

/** A URL of the API. Parts of the path are escaped: ids may hold any character. */
export function apiUrl(path: readonly string[], params: Params = {}): URL {
  const url = new URL(path.map(encodeURIComponent).join("/"), apiBase);
  for (const [name, value] of Object.entries(params)) {
    if (value === null || value === undefined) continue;
    for (const one of Array.isArray(value) ? value : [value]) url.searchParams.append(name, String(one));
  }
  return url;
}

export async function send(url: URL, init: RequestInit = {}): Promise<Response> {
  const headers = { ...authHeaders(), ...(init.headers as Record<string, string> | undefined) };
  let response: Response;
  try {
    response = await fetch(url, { credentials: "same-origin", cache: "no-store", ...init, headers });
  } catch (cause) {
    if (cause instanceof DOMException && cause.name === "AbortError") throw cause;
    throw Refused.unreachable(cause);
  }
  hearTime(response.headers.get("date"));
  if (response.ok) return response;
  if (response.status === 401) tellSignedOut();
  throw await Refused.of(response);
}

export async function get<T>(path: readonly string[], params: Params = {}, signal?: AbortSignal): Promise<T> {
  const response = await send(apiUrl(path, params), signal ? { signal } : {});
  return (await response.json()) as T;
}

/** Bytes as they are, and what they are said to be. */
export interface Bytes {
  bytes: Uint8Array;
  type: string;
}

export async function getBytes(path: readonly string[], params: Params = {}, signal?: AbortSignal): Promise<Bytes> {
  const response = await send(apiUrl(path, params), signal ? { signal } : {});
  const bytes = new Uint8Array(await response.arrayBuffer());
  return { bytes, type: response.headers.get("content-type") ?? "application/octet-stream" };
}

/** Asks for a change. Gives what was answered, or null when there was nothing to say. */
export async function ask<T>(method: "POST" | "DELETE", path: readonly string[], body?: unknown, params: Params = {}): Promise<T> {
  const init: RequestInit = { method, headers: { "content-type": "application/json" } };
  if (method === "POST") init.body = JSON.stringify(body ?? {});
  const response = await send(apiUrl(path, params), init);
  const text = await response.text();
  return (text === "" ? null : JSON.parse(text)) as T;
}

/** Sends a signal: JSON as it was written. */
export async function sendBytes(path: readonly string[], body: string, params: Params = {}): Promise<void> {
  // With a cookie nothing but JSON is taken, lest a form of another site sends it. The same request id is the same signal.
  const headers = { "content-type": "application/json", "x-request-id": crypto.randomUUID?.() ?? `${Date.now()}` };
  await send(apiUrl(path, params), { method: "POST", headers, body });
}
