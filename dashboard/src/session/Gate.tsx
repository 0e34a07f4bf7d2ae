import type { ReactNode } from "react";
import { useSignIn } from "./enter";
import { Instead } from "./Instead";
import { SignIn } from "./SignIn";

/** Lets the page show itself only to who may see it. */
export function Gate({ children }: { children: ReactNode }) {
  const { sign, instead } = useSignIn();
  if (sign === "out" || sign === "entering") return <SignIn />;
  return <>{children}{instead !== null && <Instead {...instead} />}</>;
}
