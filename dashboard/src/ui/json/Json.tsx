// A viewer for JSON. Everything it shows is a text node.
import { useState } from "react";
import { count } from "../../time/format";
import { Icon } from "../icons";
import { Exact } from "./exact";
import "./json.css";

/** Deeper values are shown as text; longer lists a part at a time. */
const DEEPEST = 64;
const A_PART = 200;
/** Values down to here are open at first, if they are short. */
const OPEN_DEPTH = 2;
const OPEN_LENGTH = 40;

export function Json({ value }: { value: unknown }) {
  return <div className="json"><Value value={value} depth={0} /></div>;
}

interface At {
  value: unknown;
  depth: number;
  name?: string | undefined;
}

function Value({ value, depth, name }: At) {
  const isNested = typeof value === "object" && value !== null && !(value instanceof Exact);
  if (isNested && depth < DEEPEST) return <Nested value={value} depth={depth} name={name} />;
  return (
    <div className="json-line">
      {name !== undefined && <Name name={name} />}
      <Scalar value={isNested ? JSON.stringify(value) : value} />
    </div>
  );
}

function Name({ name }: { name: string }) {
  return <span className="json-name">{name}<span className="quiet">: </span></span>;
}

/** Of a longer text the beginning is shown, until somebody wants all of it. */
const LONG = 2_000;
const BEGINNING = 400;

function Text({ text }: { text: string }) {
  const [isWhole, setWhole] = useState(text.length <= LONG);
  if (isWhole) return <span className="json-text">{JSON.stringify(text)}</span>;
  return (
    <>
      <span className="json-text">{JSON.stringify(text.slice(0, BEGINNING)).slice(0, -1)}…</span>{" "}
      <button type="button" className="button small-button" onClick={() => { setWhole(true); }}>{count(text.length - BEGINNING)} more characters</button>
    </>
  );
}

function Scalar({ value }: { value: unknown }) {
  if (typeof value === "string") return <Text text={value} />;
  return <span className="json-plain">{value instanceof Exact ? value.text : String(value)}</span>;
}

function Nested({ value, depth, name }: At & { value: object }) {
  const isList = Array.isArray(value);
  const entries = Object.entries(value);
  const [isOpen, setOpen] = useState(depth < OPEN_DEPTH && entries.length <= OPEN_LENGTH);
  const [shown, setShown] = useState(A_PART);
  if (entries.length === 0) {
    return <div className="json-line">{name !== undefined && <Name name={name} />}{isList ? "[]" : "{}"}</div>;
  }
  const of = isList ? `${entries.length} ${entries.length === 1 ? "item" : "items"}` : preview(entries);
  return (
    <div>
      <button type="button" className="json-line json-head" aria-expanded={isOpen} onClick={() => { setOpen(!isOpen); }}>
        <Icon name={isOpen ? "down" : "right"} size={12} />
        {name !== undefined && <Name name={name} />}
        <span className="quiet cut">{isList ? `[${of}]` : `{${of}}`}</span>
      </button>
      {isOpen && (
        <div className="json-inner">
          {entries.slice(0, shown).map(([key, inner]) => <Value key={key} name={key} value={inner} depth={depth + 1} />)}
          {entries.length > shown && (
            <button type="button" className="button small-button" onClick={() => { setShown(shown + A_PART); }}>
              {entries.length - shown} more
            </button>
          )}
        </div>
      )}
    </div>
  );
}

function preview(entries: [string, unknown][]): string {
  const names = entries.slice(0, 5).map(([name]) => name).join(", ");
  return entries.length > 5 ? `${names}, …` : names;
}
