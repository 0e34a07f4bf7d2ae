// Who is signed in. Normally a cookie says it that scripts cannot read. In development, where the page and the service
// are of two origins, a token can be kept in memory: it is in no storage and gone with the tab.

let bearer: string | null = null;
const listeners = new Set<() => void>();

/** Uses this token for all requests of the tab, until it is closed. */
export function keepBearer(token: string | null): void {
  bearer = token;
}

export function authHeaders(): Record<string, string> {
  return bearer === null ? {} : { authorization: `Bearer ${bearer}` };
}

/** Calls back when an answer said that nobody is signed in. Gives what ends that. */
export function onSignedOut(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function tellSignedOut(): void {
  listeners.forEach((listener) => { listener(); });
}
