// A graph to look at: of a plan, or of a run as it goes on. Only what is near the window is on the page.
import { useCallback, useEffect, useMemo, type MouseEvent } from "react";
import { Icon } from "../ui/icons";
import { meets, type Box } from "./camera";
import { FarNodes } from "./FarNodes";
import { GraphEdges, UndoWay } from "./GraphEdges";
import { GraphNode } from "./GraphNode";
import { NODE, type Layout, type PlacedNode } from "./layout";
import type { Looks } from "./looks";
import { detail, useCamera } from "./useCamera";
import "./graph.css";

/** More nodes in sight than this are drawn as seen from afar, however near they are. */
const MOST_NEAR = 350;
/** Up to here a graph is read node by node; a larger one is a picture first. */
const MOST_READ = 400;

interface Props {
  layout: Layout;
  /** How each node stands; none for a plan that nothing runs. */
  looks: Looks | null;
  chosen: string | null;
  onChoose: (id: string | null) => void;
  label: string;
  /** Nodes whose effects were taken back, in the order in which they were. */
  undone?: readonly string[];
}

const NOBODY: readonly string[] = [];

export function Graph({ layout, looks, chosen, onChoose, label, undone = NOBODY }: Props) {
  const first = layout.nodes.length <= MOST_READ ? layout.nodes[0] : undefined;
  const start = useMemo(() => (first ? { x: first.x + NODE.width / 2, y: first.y + NODE.height / 2 } : null), [first]);
  const camera = useCamera(layout, start);
  const { box, k } = camera.drawn;
  const shown = useMemo(() => layout.nodes.filter((node) => meets(boxOf(node), box)), [layout, box]);
  const isFar = detail(k) === 0 || shown.length > MOST_NEAR;
  const { reveal, wasDragged } = camera;

  useEffect(() => {
    const node = chosen === null ? undefined : layout.byId.get(chosen);
    if (node) reveal(boxOf(node));
  }, [chosen, layout, reveal]);

  const choose = useCallback((id: string) => { if (!wasDragged()) onChoose(id); }, [onChoose, wasDragged]);

  // From afar a node is no element of its own, so where the press was says which one is meant.
  const press = (event: MouseEvent<SVGSVGElement>) => {
    if (wasDragged() || (event.target as Element).closest(".node")) return;
    const matrix = camera.world.current?.getScreenCTM()?.inverse();
    if (!matrix) return;
    const { x, y } = new DOMPoint(event.clientX, event.clientY).matrixTransform(matrix);
    const found = isFar ? shown.find((node) => holdsPoint(boxOf(node), x, y)) : undefined;
    onChoose(found?.id ?? null);
  };

  const chosenNode = chosen === null ? undefined : layout.byId.get(chosen);
  return (
    <div ref={camera.box} className="graph" data-far={isFar}>
      <svg width="100%" height="100%" role="group" aria-label={label} onClick={press}>
        <defs>
          <marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path className="edge-head" d="M0 0.5 8 4 0 7.5z" /></marker>
          <marker id="arrow-undo" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path className="undo-head" d="M0 0.5 8 4 0 7.5z" /></marker>
        </defs>
        <g ref={camera.world}>
          <GraphEdges layout={layout} looks={looks} box={box} isFar={isFar} />
          {isFar ? <FarNodes nodes={shown} looks={looks} /> : shown.map((node) => (
            <GraphNode key={node.id} of={node} looks={looks?.get(node.id)} isChosen={node.id === chosen} isNear={detail(k) === 2} onChoose={choose} />
          ))}
          {!isFar && <UndoWay layout={layout} undone={undone} />}
          {isFar && chosenNode && <rect className="far-chosen" x={chosenNode.x - 6} y={chosenNode.y - 6} width={NODE.width + 12} height={NODE.height + 12} rx={12} />}
        </g>
      </svg>
      <div className="graph-tools">
        <button type="button" className="icon-button" aria-label="Zoom in" title="Zoom in" onClick={() => { camera.zoom(1.3); }}><Icon name="plus" /></button>
        <button type="button" className="icon-button" aria-label="Zoom out" title="Zoom out" onClick={() => { camera.zoom(1 / 1.3); }}><Icon name="minus" /></button>
        <button type="button" className="icon-button" aria-label="Show all" title="Show all" onClick={camera.fit}><Icon name="fit" /></button>
      </div>
    </div>
  );
}

function boxOf({ x, y }: PlacedNode): Box {
  return { left: x, top: y, right: x + NODE.width, bottom: y + NODE.height };
}

function holdsPoint(box: Box, x: number, y: number): boolean {
  return x >= box.left && x <= box.right && y >= box.top && y <= box.bottom;
}
