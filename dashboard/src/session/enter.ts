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
  /** A token that was not taken because somebody else is signed in, and what the service said. */
  instead: { token: string; said: string } | null;
}

let state: State = { sign: "unknown", error: null, instead: null };
const listeners = new Set<() => void>();

function change(next: Partial<State>): void {
  state = { ...state, error: null, instead: null, ...next };
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
  change({ sign: "out" });
});

/** Exchanges a token for the cookie. What was shown for somebody else is forgotten. If somebody else is signed in, `isInstead` says
 * that it is meant. */
export async function enter(token: string, isInstead = false): Promise<void> {
  change({ sign: "entering" });
  try {
    const word = token.trim();
    // What no header can carry is no token; the browser would say so in words of its own.
    if (!/^[\x21-\x7e]+$/.test(word)) throw noToken();
    const headers = { authorization: `Bearer ${word}`, "content-type": "application/json" };
    await send(apiUrl(["session"], isInstead ? { instead: true } : {}), { method: "POST", headers });
    client.clear();
    change({ sign: "in" });
  } catch (error) {
    const isOther = error instanceof Refused && error.code === "signed-in";
    change(isOther ? { sign: "in", instead: { token, said: error.message } } : { sign: "out", error });
  }
}

function noToken(): Refused {
  const detail = "There are blanks, or letters that no token has, in it: copy it again, and nothing else with it.";
  return new Refused({ status: 401, code: "unauthenticated", title: "This is no token", detail });
}

/** Whoever is signed in stays so. */
export function stay(): void {
  change({});
}

/** Ends the session, here and at the service. */
export async function leave(): Promise<void> {
  await ask<null>("DELETE", ["session"]);
  client.clear();
  change({ sign: "out" });
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
