// What a flow takes, as a form can ask for it. The service tells it as JSON Schema, as far as the flow's types do.

export type Shape =
  | { kind: "text" | "int" | "float" | "bool" | "nothing" | "any" }
  | { kind: "list"; item: Shape }
  | { kind: "tuple"; items: Shape[] }
  | { kind: "map"; value: Shape }
  | { kind: "fields"; fields: Field[] }
  | { kind: "variants"; names: string[] }
  | { kind: "maybe"; of: Shape };

export interface Field {
  name: string;
  of: Shape;
  isNeeded: boolean;
}

/** Stands where no value could be read from what was typed. */
export const UNREAD = Symbol("unread");

interface Schema {
  type?: string;
  items?: Schema;
  prefixItems?: Schema[];
  additionalProperties?: Schema;
  properties?: Record<string, Schema>;
  required?: string[];
  anyOf?: Schema[];
  "x-variants"?: string[];
}

/** Deeper than this a form is no help: JSON is typed there. */
const DEEPEST = 6;

export function shapeOf(schema: unknown, depth = 0): Shape {
  if (typeof schema !== "object" || schema === null || depth > DEEPEST) return { kind: "any" };
  const of = schema as Schema;
  const inner = (schema: unknown) => shapeOf(schema, depth + 1);
  if (Array.isArray(of["x-variants"])) return { kind: "variants", names: of["x-variants"] };
  if (of.anyOf) {
    const value = of.anyOf.find((one) => one.type !== "null");
    return value ? { kind: "maybe", of: inner(value) } : { kind: "nothing" };
  }
  switch (of.type) {
    case "string": return { kind: "text" };
    case "integer": return { kind: "int" };
    case "number": return { kind: "float" };
    case "boolean": return { kind: "bool" };
    case "null": return { kind: "nothing" };
    case "array": return of.prefixItems ? { kind: "tuple", items: of.prefixItems.map(inner) } : { kind: "list", item: inner(of.items) };
    case "object": return objectShape(of, inner);
    default: return { kind: "any" };
  }
}

function objectShape(of: Schema, inner: (schema: unknown) => Shape): Shape {
  if (!of.properties) return { kind: "map", value: inner(of.additionalProperties) };
  const needed = new Set(of.required);
  const fields = Object.entries(of.properties).map(([name, schema]) => ({ name, of: inner(schema), isNeeded: needed.has(name) }));
  // What must be said comes first.
  return { kind: "fields", fields: fields.sort((a, b) => Number(b.isNeeded) - Number(a.isNeeded)) };
}

/** A value to begin with. */
export function blank(shape: Shape): unknown {
  switch (shape.kind) {
    case "text": return "";
    case "int": case "float": return UNREAD;
    case "bool": return false;
    case "nothing": case "maybe": case "any": return null;
    case "list": return [];
    case "tuple": return shape.items.map(blank);
    case "map": return {};
    case "variants": return shape.names[0] ?? null;
    case "fields": return Object.fromEntries(shape.fields.map(({ name, of }) => [name, blank(of)]));
  }
}

/** A value to begin with that is like `value` as far as that fits the shape. */
export function fitted(shape: Shape, value: unknown): unknown {
  return problemOf(shape, value) === null ? value : blank(shape);
}

const says: Record<string, string> = { text: "a text", int: "a whole number", float: "a number", bool: "true or false", nothing: "null" };

/** What keeps a value from being what the flow takes: where, and what should be there. */
export function problemOf(shape: Shape, value: unknown, at = ""): string | null {
  const here = at === "" ? "" : `${at}: `;
  if (value === UNREAD) return `${here}${says[shape.kind] ?? "a value"} is missing`;
  const wrong = (what: string) => `${here}this should be ${what}`;
  switch (shape.kind) {
    case "any": return null;
    case "nothing": return value === null ? null : wrong("null");
    case "text": return typeof value === "string" ? null : wrong("a text");
    case "bool": return typeof value === "boolean" ? null : wrong("true or false");
    case "int": return Number.isSafeInteger(value) ? null : wrong("a whole number (one that is too large for a form can be typed as JSON)");
    case "float": return typeof value === "number" && Number.isFinite(value) ? null : wrong("a number");
    case "maybe": return value === null || value === undefined ? null : problemOf(shape.of, value, at);
    case "variants": return shape.names.includes(variantOf(value) ?? "") ? null : wrong(`one of ${shape.names.join(", ")}`);
    case "list": return Array.isArray(value) ? first(value, (one, n) => problemOf(shape.item, one, join(at, String(n)))) : wrong("a list");
    case "tuple":
      return Array.isArray(value) && value.length === shape.items.length
        ? first(shape.items, (of, n) => problemOf(of, value[n], join(at, String(n)))) : wrong(`${shape.items.length} values`);
    case "map": return isObject(value) ? first(Object.entries(value), ([key, one]) => problemOf(shape.value, one, join(at, key))) : wrong("values by keys");
    case "fields": return isObject(value) ? first(shape.fields, (field) => fieldProblem(field, value, at)) : wrong("an object");
  }
}

function fieldProblem({ name, of, isNeeded }: Field, value: Record<string, unknown>, at: string): string | null {
  if (!(name in value)) return isNeeded ? `${join(at, name)}: it is missing` : null;
  return problemOf(of, value[name], join(at, name));
}

/** The variant that a value is: a name alone, or an object with the name and what the variant holds. */
export function variantOf(value: unknown): string | null {
  if (typeof value === "string") return value;
  const names = isObject(value) ? Object.keys(value) : [];
  return names.length === 1 ? (names[0] ?? null) : null;
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function join(at: string, part: string): string {
  return at === "" ? part : `${at}.${part}`;
}

function first<T>(all: readonly T[], problem: (one: T, at: number) => string | null): string | null {
  for (const [at, one] of all.entries()) {
    const found = problem(one, at);
    if (found !== null) return found;
  }
  return null;
}
