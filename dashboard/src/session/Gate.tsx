import type { ReactNode } from "react";
import { useSignIn } from "./enter";
import { SignIn } from "./SignIn";

/** Lets the page show itself only to who may see it. */
export function Gate({ children }: { children: ReactNode }) {
  const { sign } = useSignIn();
  return sign === "out" || sign === "entering" ? <SignIn /> : children;
}
