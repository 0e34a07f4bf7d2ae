import { memo, useMemo } from "react";
import { meets, type Box } from "./camera";
import { curve, NODE, type Layout, type PlacedEdge } from "./layout";
import type { Looks } from "./looks";

/** More lines than this would hide what they are about. */
const MOST_UNDONE = 60;

interface Props {
  layout: Layout;
  looks: Looks | null;
  box: Box;
  isFar: boolean;
}

/** What hangs together. */
export const GraphEdges = memo(function GraphEdges({ layout, looks, box, isFar }: Props) {
  const shown = useMemo(() => layout.edges.filter((edge) => meets(boxOf(edge), box)), [layout, box]);
  const all = useMemo(
    () => (isFar ? shown.map(({ points }) => points.map(({ x, y }, at) => `${at === 0 ? "M" : "L"}${Math.round(x)} ${Math.round(y)}`).join("")).join("") : ""),
    [shown, isFar],
  );
  if (isFar) return <path className="edge far-edge" d={all} />;
  return shown.map((edge) => <Edge key={edge.id} edge={edge} layout={layout} looks={looks} />);
});

function Edge({ edge, layout, looks }: { edge: PlacedEdge; layout: Layout; looks: Looks | null }) {
  const isFaded = looks?.get(edge.to)?.isFaded === true || looks?.get(edge.from)?.isFaded === true;
  const kind = ["edge", edge.isOrder ? "order" : "", isFaded ? "faded" : ""].filter(Boolean).join(" ");
  const [first, ...rest] = edge.points;
  const last = rest.at(-1);
  return (
    <>
      <path className={kind} d={curve(edge.points, layout.way)} markerEnd="url(#arrow)" />
      {edge.arm !== undefined && first && last && (
        <text className={isFaded ? "edge-arm faded" : "edge-arm"} x={(first.x + last.x) / 2} y={(first.y + last.y) / 2 - 5}>
          {edge.arm.length > 14 ? `${edge.arm.slice(0, 13)}…` : edge.arm}
        </text>
      )}
    </>
  );
}

/** The last first: from each node whose effects were taken back to the one before it. It lies above the nodes. */
export function UndoWay({ layout, undone }: { layout: Layout; undone: readonly string[] }) {
  if (undone.length > MOST_UNDONE) return null;
  return undone.slice(1).map((to, at) => {
    const a = layout.byId.get(undone[at] ?? "");
    const b = layout.byId.get(to);
    if (!a || !b) return null;
    const from = { x: a.x + NODE.width / 2, y: a.y };
    const end = { x: b.x + NODE.width / 2, y: b.y };
    const lift = Math.min(from.y, end.y) - 26 - Math.min(40, Math.abs(from.x - end.x) / 14);
    return <path key={to} className="undo-way" markerEnd="url(#arrow-undo)" d={`M${from.x} ${from.y}C${from.x} ${lift} ${end.x} ${lift} ${end.x} ${end.y - 2}`} />;
  });
}

function boxOf({ points }: PlacedEdge): Box {
  const box = { left: Infinity, top: Infinity, right: -Infinity, bottom: -Infinity };
  for (const { x, y } of points) {
    box.left = Math.min(box.left, x);
    box.right = Math.max(box.right, x);
    box.top = Math.min(box.top, y);
    box.bottom = Math.max(box.bottom, y);
  }
  return box;
}
