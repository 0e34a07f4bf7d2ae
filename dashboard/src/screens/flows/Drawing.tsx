import { useCallback, useMemo } from "react";
import { Graph } from "../../graph/Graph";
import { layoutFor } from "../../graph/layout";
import { draw } from "../../graph/model";
import { KIND_SAYS, type Plan, type PlanNode } from "../../plan/spec";
import { useSearch } from "../../router/router";
import { Icon } from "../../ui/icons";
import { Json } from "../../ui/json/Json";

/** A plan, and what it says of the node that is chosen. */
export default function Drawing({ plan }: { plan: Plan }) {
  const [search, change] = useSearch();
  const chosen = search.get("node");
  const setChosen = useCallback((at: string | null) => { change((next) => { if (at === null) next.delete("node"); else next.set("node", at); }); }, [change]);
  const placed = useMemo(() => layoutFor(draw(plan), { width: innerWidth < 860 ? 600 : innerWidth, height: innerHeight }), [plan]);
  const node = chosen === null ? undefined : placed.byId.get(chosen);
  return (
    <div className="drawing">
      <Graph layout={placed} looks={null} chosen={chosen} onChoose={setChosen} label={`The plan of ${plan.flow}`} />
      {node && (
        <aside className="drawing-node" aria-label={`About ${node.id}`}>
          <header className="card-head">
            <h2 className="grow cut" title={node.id}>{node.id}</h2>
            <button type="button" className="icon-button" aria-label="Close" onClick={() => { setChosen(null); }}><Icon name="cross" /></button>
          </header>
          <div className="card-body"><p className="quiet small">{KIND_SAYS[node.kind]}</p><Json value={shownOf(node.node)} /></div>
        </aside>
      )}
    </div>
  );
}

/** What stands in the plan about a node, without what it opens: that is drawn. */
function shownOf(node: PlanNode): object {
  const { kind } = node;
  const isPlain = typeof kind === "string" || "branch" in kind || "basin" in kind;
  const rest = Object.entries(node).filter(([key]) => key !== "name" && key !== "kind");
  return { ...Object.fromEntries(rest), ...(isPlain ? {} : kind) };
}
