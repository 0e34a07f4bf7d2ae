import { useId, useState } from "react";
import { Icon } from "../../ui/icons";
import { isRounded } from "../../ui/json/exact";
import { parsed } from "./start";
import { blank, isObject, UNREAD, variantOf, type Field, type Shape } from "./shape";

interface Props<S extends Shape = Shape> {
  shape: S;
  value: unknown;
  onChange: (value: unknown) => void;
  /** What is asked for, in words. */
  label: string;
  isNeeded?: boolean;
}

type Of<K extends Shape["kind"]> = Props<Extract<Shape, { kind: K }>>;

/** Asks for a value of a shape. */
export function Edit({ shape, ...rest }: Props) {
  switch (shape.kind) {
    case "fields": return <Fields shape={shape} {...rest} />;
    case "list": return <List shape={shape} {...rest} />;
    case "map": return <Entries shape={shape} {...rest} />;
    case "tuple": return <Tuple shape={shape} {...rest} />;
    case "maybe": return <Maybe shape={shape} {...rest} />;
    case "variants": return <Variants shape={shape} {...rest} />;
    case "bool": return <Bool {...rest} />;
    case "int": case "float": return <Number_ isWhole={shape.kind === "int"} {...rest} />;
    case "text": return <Text {...rest} />;
    case "nothing": return null;
    case "any": return <AsJson {...rest} />;
  }
}

type Plain = Omit<Props, "shape">;

function Label({ id, label, isNeeded = true }: { id: string; label: string; isNeeded?: boolean | undefined }) {
  return <label htmlFor={id} className="field-name">{label}{!isNeeded && <span className="quiet"> if any</span>}</label>;
}

function Text({ value, onChange, label, isNeeded }: Plain) {
  const id = useId();
  const text = typeof value === "string" ? value : "";
  const given = { id, className: "input", value: text, onChange: (event: { target: { value: string } }) => { onChange(event.target.value); } };
  return <div className="field"><Label id={id} label={label} isNeeded={isNeeded} />{text.includes("\n") ? <textarea {...given} /> : <input {...given} />}</div>;
}

function Number_({ value, onChange, label, isNeeded, isWhole }: Plain & { isWhole: boolean }) {
  const id = useId();
  const [typed, setTyped] = useState(typeof value === "number" ? String(value) : "");
  const take = (text: string) => {
    setTyped(text);
    const number = Number(text);
    onChange(text.trim() === "" || Number.isNaN(number) ? UNREAD : number);
  };
  return (
    <div className="field">
      <Label id={id} label={label} isNeeded={isNeeded} />
      <input id={id} className="input num" inputMode={isWhole ? "numeric" : "decimal"} value={typed} placeholder={isWhole ? "0" : "0.0"}
        onChange={(event) => { take(event.target.value); }} />
    </div>
  );
}

function Bool({ value, onChange, label }: Plain) {
  return (
    <label className="choice">
      <input type="checkbox" checked={value === true} onChange={() => { onChange(value !== true); }} />
      <span className="field-name">{label}</span>
    </label>
  );
}

function AsJson({ value, onChange, label, isNeeded }: Plain) {
  const id = useId();
  const [typed, setTyped] = useState(() => (value === UNREAD ? "" : JSON.stringify(value, null, 2)));
  const [bad, setBad] = useState<string | null>(null);
  const take = (text: string) => {
    setTyped(text);
    const found = parsed(text);
    const why = !found.isJson ? "This is no JSON yet." : isRounded(text) ? "It has a whole number that is too large for a form: give all of the input as JSON." : null;
    setBad(why);
    onChange(found.isJson && why === null ? found.value : UNREAD);
  };
  return (
    <div className="field">
      <Label id={id} label={`${label} (JSON)`} isNeeded={isNeeded} />
      <textarea id={id} className="input" value={typed} spellCheck={false} aria-invalid={bad !== null} onChange={(event) => { take(event.target.value); }} />
      {bad !== null && <span className="field-bad">{bad}</span>}
    </div>
  );
}

function Fields({ shape, value, onChange, label }: Of<"fields">) {
  const object = isObject(value) ? value : {};
  const set = ({ name }: Field, next: unknown) => { onChange({ ...object, [name]: next }); };
  return (
    <fieldset className="edit-group">
      <legend className={label === "" ? "sr" : "field-name"}>{label === "" ? "Input" : label}</legend>
      <div className="edit-inner">
        {shape.fields.map((field) => (
          <Edit key={field.name} shape={field.of} label={field.name} isNeeded={field.isNeeded} value={object[field.name] ?? null}
            onChange={(next) => { set(field, next); }} />
        ))}
        {shape.fields.length === 0 && <p className="quiet small">It takes an object with nothing in it.</p>}
      </div>
    </fieldset>
  );
}

/** A value that may be missing: a text is there once it is typed, others are added. */
function Maybe({ shape, value, onChange, label }: Of<"maybe">) {
  const isThere = value !== null && value !== undefined;
  if (shape.of.kind === "text") {
    return <Text label={label} isNeeded={false} value={value ?? ""} onChange={(next) => { onChange(next === "" ? null : next); }} />;
  }
  if (shape.of.kind === "int" || shape.of.kind === "float") {
    return <Number_ label={label} isNeeded={false} isWhole={shape.of.kind === "int"} value={value}
      onChange={(next) => { onChange(next === UNREAD ? null : next); }} />;
  }
  if (!isThere) {
    return <button type="button" className="button small-button edit-add" onClick={() => { onChange(blank(shape.of)); }}><Icon name="plus" />{label}</button>;
  }
  return (
    <div className="edit-item">
      <div className="grow"><Edit shape={shape.of} label={label} value={value} onChange={onChange} /></div>
      <Remove what={label} onRemove={() => { onChange(null); }} />
    </div>
  );
}

function Remove({ what, onRemove }: { what: string; onRemove: () => void }) {
  return <button type="button" className="icon-button" aria-label={`Remove ${what}`} title={`Remove ${what}`} onClick={onRemove}><Icon name="cross" /></button>;
}

function List({ shape, value, onChange, label }: Of<"list">) {
  const list = Array.isArray(value) ? (value as unknown[]) : [];
  return (
    <fieldset className="edit-group">
      <legend className="field-name">{label === "" ? "Items" : label} <span className="quiet num">{list.length}</span></legend>
      <div className="edit-inner">
      {list.map((one, at) => (
        // Items have no names; their places are all there is.
        <div key={`${list.length} ${at}`} className="edit-item">
          <div className="grow">
            <Edit shape={shape.item} label={`${label} ${at + 1}`} value={one} onChange={(next) => { onChange(list.with(at, next)); }} />
          </div>
          <Remove what={`${label} ${at + 1}`} onRemove={() => { onChange(list.toSpliced(at, 1)); }} />
        </div>
      ))}
      <button type="button" className="button small-button edit-add" onClick={() => { onChange([...list, blank(shape.item)]); }}>
        <Icon name="plus" />Add<span className="sr"> to {label}</span>
      </button>
      </div>
    </fieldset>
  );
}

function Entries({ shape, value, onChange, label }: Of<"map">) {
  const [key, setKey] = useState("");
  const id = useId();
  const map = isObject(value) ? value : {};
  const without = (gone: string) => Object.fromEntries(Object.entries(map).filter(([key]) => key !== gone));
  const add = () => { onChange({ ...map, [key]: blank(shape.value) }); setKey(""); };
  return (
    <fieldset className="edit-group">
      <legend className="field-name">{label === "" ? "Entries" : label}</legend>
      <div className="edit-inner">
      {Object.entries(map).map(([key, one]) => (
        <div key={key} className="edit-item">
          <div className="grow"><Edit shape={shape.value} label={key} value={one} onChange={(next) => { onChange({ ...map, [key]: next }); }} /></div>
          <Remove what={key} onRemove={() => { onChange(without(key)); }} />
        </div>
      ))}
      <div className="row">
        <label htmlFor={id} className="sr">Key of a new entry</label>
        <input id={id} className="input" value={key} placeholder="key" onChange={(event) => { setKey(event.target.value); }} />
        <button type="button" className="button" disabled={key === "" || key in map} onClick={add}><Icon name="plus" />Add</button>
      </div>
      </div>
    </fieldset>
  );
}

function Tuple({ shape, value, onChange, label }: Of<"tuple">) {
  const list = Array.isArray(value) ? (value as unknown[]) : shape.items.map(blank);
  return (
    <fieldset className="edit-group">
      <legend className="field-name">{label === "" ? "Values" : label}</legend>
      <div className="edit-inner">
      {shape.items.map((of, at) => (
        <Edit key={at} shape={of} label={`${label} ${at + 1}`.trim()} value={list[at]} onChange={(next) => { onChange(list.with(at, next)); }} />
      ))}
      </div>
    </fieldset>
  );
}

/** One of several; what the chosen one holds, if anything, is not known, and is typed as JSON. */
function Variants({ shape, value, onChange, label, isNeeded }: Of<"variants">) {
  const id = useId();
  const chosen = variantOf(value) ?? "";
  const holds = isObject(value) ? value[chosen] : undefined;
  return (
    <div className="field">
      <Label id={id} label={label} isNeeded={isNeeded} />
      <div className="row">
        <select id={id} className="input" value={chosen} onChange={(event) => { onChange(event.target.value); }}>
          {shape.names.map((name) => <option key={name}>{name}</option>)}
        </select>
        <button type="button" className="button small-button" aria-pressed={holds !== undefined} title="What the variant holds, if it holds something"
          onClick={() => { onChange(holds === undefined ? { [chosen]: {} } : chosen); }}>with…</button>
      </div>
      {holds !== undefined && <AsJson key={chosen} label={`What ${chosen} holds`} value={holds} onChange={(next) => { onChange(next === UNREAD ? UNREAD : { [chosen]: next }); }} />}
    </div>
  );
}
