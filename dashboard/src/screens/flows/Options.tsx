import { useId } from "react";
import { Icon } from "../../ui/icons";
import type { StartOptions } from "./options";

interface Props {
  options: StartOptions;
  onChange: (options: StartOptions) => void;
  /** Of bytes, only the id can be said. */
  isOnlyId: boolean;
}

/** What can be said of a run besides its input. */
export function Options({ options, onChange, isOnlyId }: Props) {
  const field = (name: Exclude<keyof StartOptions, "labels">, label: string, placeholder: string) => (
    <One label={label} placeholder={placeholder} value={options[name]} onChange={(value) => { onChange({ ...options, [name]: value }); }} />
  );
  return (
    <details className="options">
      <summary>Id, labels, limits</summary>
      <div className="options-body">
        {field("id", "Id", "generated; the same id again is the same run")}
        {!isOnlyId && (
          <>
            <Labels labels={options.labels} onChange={(labels) => { onChange({ ...options, labels }); }} />
            {field("key", "Key", "how many runs with it are in flight may be limited")}
            {field("lane", "Lane", "the lane that its calls queue in")}
            {field("priority", "Priority", "0; higher goes first")}
            {field("minutes", "Time limit in minutes", "none")}
          </>
        )}
      </div>
    </details>
  );
}

function One({ label, placeholder, value, onChange }: { label: string; placeholder: string; value: string; onChange: (value: string) => void }) {
  const id = useId();
  return (
    <div className="field">
      <label className="field-name" htmlFor={id}>{label}</label>
      <input id={id} className="input" value={value} placeholder={placeholder} onChange={(event) => { onChange(event.target.value); }} />
    </div>
  );
}

function Labels({ labels, onChange }: { labels: [string, string][]; onChange: (labels: [string, string][]) => void }) {
  const set = (at: number, label: [string, string]) => { onChange(labels.with(at, label)); };
  return (
    <fieldset className="edit-group">
      <legend className="field-name">Labels</legend>
      <div className="edit-inner">
      {labels.map(([name, value], at) => (
        <div key={at} className="row">
          <input className="input" aria-label={`Name of label ${at + 1}`} placeholder="name" value={name} onChange={(event) => { set(at, [event.target.value, value]); }} />
          <input className="input" aria-label={`Value of label ${at + 1}`} placeholder="value" value={value} onChange={(event) => { set(at, [name, event.target.value]); }} />
          <button type="button" className="icon-button" aria-label={`Remove label ${at + 1}`} onClick={() => { onChange(labels.toSpliced(at, 1)); }}><Icon name="cross" /></button>
        </div>
      ))}
      <button type="button" className="button small-button edit-add" onClick={() => { onChange([...labels, ["", ""]]); }}><Icon name="plus" />Add a label</button>
      </div>
    </fieldset>
  );
}
