import type { NewToken, Right } from "../../api/types";

export interface TokenDraft {
  name: string;
  right: Right;
  seesPayloads: boolean;
  /** Names and patterns, apart by commas or spaces; none: all. */
  flows: string;
  days: string;
}

/** What is asked for by a form. */
export function newToken({ name, right, seesPayloads, flows, days }: TokenDraft): NewToken {
  return {
    name: name.trim(),
    scopes: seesPayloads ? [right, "payload:read"] : [right],
    flows: flows.split(/[\s,]+/).filter(Boolean),
    days: days.trim() === "" ? null : Number(days),
  };
}
