// What a node of a graph says besides its name.

export interface NodeLook {
  status: string;
  /** The line below the name. */
  line: string;
  /** It was not taken, or not needed. */
  isFaded: boolean;
  /** Of what opened many scopes: how many there are, have ended, and failed. */
  many?: { all: number; ended: number; failed: number };
}

export type Looks = ReadonlyMap<string, NodeLook>;
