// Signing in: a token is exchanged for a cookie that scripts cannot read, and is kept nowhere.
import { useSyncExternalStore } from "react";
import { client } from "../api/client";
import { apiUrl, ask, send } from "../api/http";
import { Refused } from "../api/problem";
import { onSignedOut } from "../api/session";

/** `out`: nobody is signed in, and the service wants to know who asks. */
export type SignIn = "unknown" | "entering" | "in" | "out";

interface State {
  sign: SignIn;
  /** Why a token was not taken. */
  error: unknown;
}

let state: State = { sign: "unknown", error: null };
const listeners = new Set<() => void>();

function change(next: State): void {
  state = next;
  listeners.forEach((listener) => { listener(); });
}

export function useSignIn(): State {
  return useSyncExternalStore((listener) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  }, () => state);
}

onSignedOut(() => {
  if (state.sign === "entering" || state.sign === "out") return;
  change({ sign: "out", error: null });
});

/** Exchanges a token for the cookie. What was shown for somebody else is forgotten. */
export async function enter(token: string): Promise<void> {
  change({ sign: "entering", error: null });
  try {
    const headers = { authorization: `Bearer ${token.trim()}`, "content-type": "application/json" };
    await send(apiUrl(["session"]), { method: "POST", headers });
    client.clear();
    change({ sign: "in", error: null });
  } catch (error) {
    change({ sign: "out", error });
  }
}

/** Ends the session, here and at the service. */
export async function leave(): Promise<void> {
  await ask<null>("DELETE", ["session"]);
  client.clear();
  change({ sign: "out", error: null });
}

/** Whether an error of `enter` means that this token will never be taken. */
export function isWrongToken(error: unknown): boolean {
  return error instanceof Refused && (error.status === 401 || error.status === 403);
}

/** Takes the token of a link (`#token=…`) out of the address, before anything else sees it, and signs in with it. */
function enterByLink(): void {
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  if (token === null) return;
  history.replaceState(history.state, "", location.pathname + location.search);
  void enter(token);
}

enterByLink();
// A link that is opened in a tab which shows the dashboard already changes nothing but the fragment.
addEventListener("hashchange", enterByLink);
