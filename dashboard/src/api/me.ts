import { useQuery } from "@tanstack/react-query";
import { queries } from "./queries";
import type { Me, Right } from "./types";

/** What who looks may do. The server enforces it; the page only does not offer what it would refuse. */
export interface Rights {
  name: string;
  may(right: Right): boolean;
}

const includes: Record<Right, readonly Right[]> = {
  viewer: ["viewer", "operator", "admin"],
  operator: ["operator", "admin"],
  admin: ["admin"],
  "payload:read": ["payload:read"],
};

export function useRights(): Rights {
  const { data } = useQuery(queries.me());
  return { name: data?.name ?? "", may: (right) => allows(data, right) };
}

function allows(me: Me | undefined, right: Right): boolean {
  if (!me) return false;
  // Where nothing can be changed, there is nothing to operate; the audit log and the tokens can be looked at all the same.
  if (me.read_only && right === "operator") return false;
  return me.scopes.some((scope) => includes[right].includes(scope));
}
