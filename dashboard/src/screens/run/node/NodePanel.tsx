// One node of a run, or one scope of it, beside whatever view is shown.
import { useQuery } from "@tanstack/react-query";
import { useEffect, useRef } from "react";
import { queries } from "../../../api/queries";
import type { NodeView, RunRow } from "../../../api/types";
import { inScope, splitAt, steps } from "../../../plan/scope";
import { Icon } from "../../../ui/icons";
import { Empty, Failed, Loading } from "../../../ui/States";
import { Status } from "../../../ui/Status";
import type { RunData } from "../useRun";
import { NodeOf } from "./NodeOf";
import { specAt } from "./spec";
import "./node.css";

export interface PanelProps {
  data: RunData;
  run: RunRow;
  /** The whole name of a node, or of a scope: `each[7]`. */
  at: string;
  onClose: () => void;
  onChoose: (at: string) => void;
}

export function NodePanel(props: PanelProps) {
  const { run, at, onClose, onChoose } = props;
  const isScope = at.endsWith("]");
  const { scope } = splitAt(at);
  const title = useRef<HTMLHeadingElement>(null);
  // On a narrow window the panel lies over the view: who reads with the keyboard is taken there.
  useEffect(() => { if (matchMedia("(max-width: 860px)").matches) title.current?.focus(); }, [at]);
  return (
    <aside className="panel" aria-label={`Node ${at}`}>
      <div className="panel-top row">
        <span className="panel-run small quiet cut">{run.id}</span>
        <nav className="panel-way grow cut" aria-label="Where it is">
          {steps(scope).map((step) => (
            <span key={step.scope}><button type="button" className="as-link" onClick={() => { onChoose(step.scope); }}>{step.label}</button> / </span>
          ))}
          <h2 ref={title} tabIndex={-1} className="panel-title">{isScope ? steps(at).at(-1)?.label : splitAt(at).node}</h2>
        </nav>
        <button type="button" className="icon-button" aria-label="Close the node" title="Close (Esc)" onClick={onClose}><Icon name="cross" /></button>
      </div>
      {isScope ? <ScopeOf {...props} /> : <Node {...props} />}
    </aside>
  );
}

function Node({ data, run, at, onChoose }: PanelProps) {
  const { scope, node: name } = splitAt(at);
  const inner = useQuery({ ...queries.view(run.id, scope), enabled: scope !== "" });
  const view = scope === "" ? data.view : inner.data;
  if (scope !== "" && inner.error && !view) return <Failed error={inner.error} onRetry={() => void inner.refetch()} />;
  if (!view) return <Loading />;
  const found = [...view.nodes, ...(view.hooks ?? [])].find((node) => node.name === name);
  if (!found) return <Empty title={`There is no node ${name} here`} />;
  return <NodeOf data={data} run={run} at={at} node={found} spec={data.plan ? specAt(data.plan, at) : null} onChoose={onChoose} />;
}

/** An item of a foreach, or an arm: its nodes. */
function ScopeOf({ run, at, onChoose }: PanelProps) {
  const { data: view, error, refetch } = useQuery(queries.view(run.id, at));
  if (error) return <Failed error={error} onRetry={() => void refetch()} />;
  if (!view) return <Loading />;
  return (
    <div className="panel-body">
      <p><Status of={view.status} /> {view.outcome && view.outcome !== view.status && <span className="quiet">{view.outcome}</span>}</p>
      <NodeList nodes={view.nodes} scope={at} onChoose={onChoose} />
    </div>
  );
}

function NodeList({ nodes, scope, onChoose }: { nodes: readonly NodeView[]; scope: string; onChoose: (at: string) => void }) {
  return (
    <ul className="panel-list">
      {nodes.map((node) => (
        <li key={node.name}>
          <button type="button" className="panel-item" onClick={() => { onChoose(inScope(scope, node.name)); }}>
            <span className="grow cut"><code>{node.name}</code></span>
            <Status of={node.status} isBare />
          </button>
        </li>
      ))}
    </ul>
  );
}
