import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useRef, useState, type FormEvent, type RefObject } from "react";
import { queries } from "../../api/queries";
import { RUN_STATUSES } from "../../api/types";
import { path } from "../../router/match";
import { navigate } from "../../router/router";
import { count } from "../../time/format";
import { Icon } from "../../ui/icons";
import { look } from "../../ui/status";
import { SINCE, type Filters } from "./filters";

interface Props {
  filters: Filters;
  onChange: (next: Filters) => void;
  searchBox: RefObject<HTMLInputElement | null>;
}

export function FilterBar({ filters, onChange, searchBox }: Props) {
  const flows = useQuery(queries.flows()).data?.items ?? [];
  const names = new Set([...flows.map(({ name }) => name), ...(filters.flow === null ? [] : [filters.flow])]);
  return (
    <>
      <div className="row wrap">
        <h1 className="runs-title">Runs</h1>
        <Search filters={filters} onChange={onChange} box={searchBox} />
        <select className="input select" aria-label="Flow" value={filters.flow ?? ""} onChange={(event) => { onChange({ ...filters, flow: event.target.value || null }); }}>
          <option value="">all flows</option>
          {[...names].sort().map((name) => <option key={name} value={name}>{name}</option>)}
        </select>
        <select className="input select" aria-label="Began" value={filters.since ?? ""} onChange={(event) => { onChange({ ...filters, since: event.target.value || null }); }}>
          <option value="">of any time</option>
          {Object.entries(SINCE).map(([key, { label }]) => <option key={key} value={key}>{label}</option>)}
        </select>
        <AddLabel onAdd={(label) => { onChange({ ...filters, labels: [...new Set([...filters.labels, label])] }); }} />
        {filters.labels.map((label) => (
          <span key={label} className="chip chosen">
            {label}
            <button type="button" className="icon-button" aria-label={`No longer only ${label}`} onClick={() => { onChange({ ...filters, labels: filters.labels.filter((other) => other !== label) }); }}><Icon name="cross" size={12} /></button>
          </span>
        ))}
      </div>
      <Statuses filters={filters} onChange={onChange} />
    </>
  );
}

/** Words narrow what is shown; Enter opens the run of that id, if there is one. */
function Search({ filters, onChange, box }: { filters: Filters; onChange: Props["onChange"]; box: Props["searchBox"] }) {
  const client = useQueryClient();
  const latest = useRef("");
  const open = async (event: FormEvent) => {
    event.preventDefault();
    const id = filters.words.trim();
    latest.current = id;
    if (id === "") return;
    const isThere = await client.fetchQuery({ ...queries.run(id), retry: false }).then(() => true, () => false);
    // Who typed on meanwhile wants something else.
    if (isThere && latest.current === id) navigate(path("runs", id));
  };
  return (
    <form className="search" role="search" onSubmit={(event) => void open(event)}>
      <Icon name="search" />
      <input ref={box} className="input" type="search" aria-label="Search runs" placeholder="Search; Enter opens an id" value={filters.words} spellCheck={false}
        onChange={(event) => { latest.current = ""; onChange({ ...filters, words: event.target.value }); }}
        onKeyDown={(event) => { if (event.key === "Escape") event.currentTarget.blur(); }} />
      <kbd>/</kbd>
    </form>
  );
}

function Statuses({ filters, onChange }: { filters: Filters; onChange: Props["onChange"] }) {
  const { data } = useQuery(queries.counts());
  const all = data ? Object.values(data.runs).reduce((sum, of) => sum + of, 0) : undefined;
  return (
    <div className="statuses" role="group" aria-label="Status">
      <button type="button" className="chip" aria-pressed={filters.status === null} onClick={() => { onChange({ ...filters, status: null }); }}>
        all {all !== undefined && <span className="quiet num">{count(all)}</span>}
      </button>
      {RUN_STATUSES.map((status) => {
        const of = data?.runs[status];
        return (
          <button key={status} type="button" className="chip" data-tone={look(status).tone} data-none={of === 0} aria-pressed={filters.status === status}
            onClick={() => { onChange({ ...filters, status: filters.status === status ? null : status }); }}>
            <span className="status-dot" aria-hidden="true">{look(status).sign}</span>
            {status.replace("-", " ")} {of !== undefined && <span className="quiet num">{count(of)}</span>}
          </button>
        );
      })}
    </div>
  );
}

function AddLabel({ onAdd }: { onAdd: (label: string) => void }) {
  const [text, setText] = useState("");
  const add = (event: FormEvent) => {
    event.preventDefault();
    if (!/^[^:]+:./.test(text)) return;
    onAdd(text);
    setText("");
  };
  return (
    <form onSubmit={add}>
      <input className="input label-input" aria-label="Only with a label, as key:value" placeholder="label key:value" value={text} spellCheck={false} onChange={(event) => { setText(event.target.value); }} />
    </form>
  );
}
