import { QueryClient } from "@tanstack/react-query";
import { Refused } from "./problem";

/** What was refused is refused again; only what could not be reached, or was too much, is worth another try. */
function isWorthAnotherTry(failures: number, error: Error): boolean {
  if (!(error instanceof Refused)) return false;
  const isPassing = error.status === 0 || error.status === 429 || error.status >= 500;
  return isPassing && failures < 3;
}

export const client = new QueryClient({
  defaultOptions: {
    // A service on this machine is there without a network: what the browser thinks of that says nothing.
    queries: { networkMode: "always", retry: isWorthAnotherTry, staleTime: 5_000, refetchOnWindowFocus: true },
    mutations: { networkMode: "always", retry: false },
  },
});
