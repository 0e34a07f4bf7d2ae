// Where everything of a graph lies.
import dagre from "@dagrejs/dagre";
import { fit, type Size } from "./camera";
import { layered, type Point } from "./layered";
import { simple, type Drawn, type DrawnEdge, type DrawnNode } from "./model";

export const NODE = { width: 184, height: 54 };
const GAP = { along: 46, across: 18 };
/** From here on dagre takes longer than anybody should wait. */
const MOST_FOR_DAGRE = 250;

/** Which way the graph runs: to the right, or down. */
export type Way = "right" | "down";

export interface PlacedNode extends DrawnNode {
  /** Its upper left corner. */
  x: number;
  y: number;
}

export interface PlacedEdge extends DrawnEdge {
  points: Point[];
}

export interface Layout {
  nodes: PlacedNode[];
  edges: PlacedEdge[];
  byId: Map<string, PlacedNode>;
  width: number;
  height: number;
  way: Way;
}

export function layout(drawn: Drawn, way: Way): Layout {
  const edges = simple(drawn.edges);
  const spots = drawn.nodes.length <= MOST_FOR_DAGRE ? byDagre(drawn.nodes, edges, way) : byLayers(drawn.nodes, edges, way);
  const left = least(spots.middles, "x");
  const top = least(spots.middles, "y");
  const nodes = drawn.nodes.map((node, at): PlacedNode => {
    const middle = spots.middles[at] ?? { x: 0, y: 0 };
    return { ...node, x: middle.x - NODE.width / 2 - left, y: middle.y - NODE.height / 2 - top };
  });
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const shifted = edges.map((edge, at): PlacedEdge => {
    const between = spots.bends?.[at]?.map(({ x, y }) => ({ x: x - left, y: y - top })) ?? [];
    const [first, last] = straight(byId, edge, way);
    return { ...edge, points: first && last ? [first, ...between, last] : [] };
  });
  let width = 0;
  let height = 0;
  for (const node of nodes) {
    width = Math.max(width, node.x + NODE.width);
    height = Math.max(height, node.y + NODE.height);
  }
  return { nodes, edges: shifted, byId, width, height, way };
}

/** A narrow window is high: a graph runs down in it. */
const NARROW = 640;

/** The layout for a window. A graph that is a picture first runs the way in which it is drawn larger. */
export function layoutFor(drawn: Drawn, window: Size): Layout {
  const way = window.width < NARROW ? "down" : "right";
  const first = layout(drawn, way);
  if (drawn.nodes.length <= MOST_FOR_DAGRE) return first;
  const other = layout(drawn, way === "right" ? "down" : "right");
  return fit(other, window).k > fit(first, window).k ? other : first;
}

/** Where the first corner of all nodes lies on an axis. */
function least(middles: readonly Point[], axis: "x" | "y"): number {
  let found = Infinity;
  for (const middle of middles) found = Math.min(found, middle[axis]);
  const half = axis === "x" ? NODE.width / 2 : NODE.height / 2;
  return Number.isFinite(found) ? found - half : 0;
}

interface Spots {
  middles: Point[];
  /** Where each edge bends on its way around other nodes. */
  bends?: Point[][];
}

function byDagre(nodes: readonly DrawnNode[], edges: readonly DrawnEdge[], way: Way): Spots {
  const graph = new dagre.graphlib.Graph();
  graph.setGraph({ rankdir: way === "right" ? "LR" : "TB", ranksep: GAP.along, nodesep: GAP.across, edgesep: 10 });
  graph.setDefaultEdgeLabel(() => ({}));
  for (const node of nodes) graph.setNode(node.id, { ...NODE });
  for (const edge of edges) graph.setEdge(edge.from, edge.to);
  dagre.layout(graph);
  return {
    middles: nodes.map(({ id }) => graph.node(id) as Point),
    // dagre bends an edge once in each layer, also between two neighbours, where a curve needs none.
    bends: edges.map(({ from, to }) => {
      const { points } = graph.edge(from, to) as { points: Point[] };
      return points.length > 3 ? points.slice(1, -1) : [];
    }),
  };
}

function byLayers(nodes: readonly DrawnNode[], edges: readonly DrawnEdge[], way: Way): Spots {
  const index = new Map(nodes.map(({ id }, at) => [id, at]));
  const pairs = edges.map(({ from, to }): [number, number] => [index.get(from) ?? 0, index.get(to) ?? 0]);
  const isRight = way === "right";
  const gaps = isRight
    ? { along: NODE.width + GAP.along * 1.5, across: NODE.height + GAP.across }
    : { along: NODE.height + GAP.along, across: NODE.width + GAP.across };
  const points = layered(nodes.length, pairs, gaps);
  return { middles: isRight ? points : points.map(({ x, y }) => ({ x: y, y: x })) };
}

/** From the end of one node to the beginning of the next. */
function straight(byId: ReadonlyMap<string, PlacedNode>, edge: DrawnEdge, way: Way): Point[] {
  const from = byId.get(edge.from);
  const to = byId.get(edge.to);
  if (!from || !to) return [];
  return way === "right"
    ? [{ x: from.x + NODE.width, y: from.y + NODE.height / 2 }, { x: to.x, y: to.y + NODE.height / 2 }]
    : [{ x: from.x + NODE.width / 2, y: from.y + NODE.height }, { x: to.x + NODE.width / 2, y: to.y }];
}

/** A smooth line through points. */
export function curve(points: readonly Point[], way: Way): string {
  const [first, ...rest] = points;
  if (!first) return "";
  let path = `M${r(first.x)} ${r(first.y)}`;
  let last = first;
  for (const point of rest) {
    const half = way === "right" ? (point.x - last.x) / 2 : (point.y - last.y) / 2;
    path += way === "right"
      ? `C${r(last.x + half)} ${r(last.y)} ${r(point.x - half)} ${r(point.y)} ${r(point.x)} ${r(point.y)}`
      : `C${r(last.x)} ${r(last.y + half)} ${r(point.x)} ${r(point.y - half)} ${r(point.x)} ${r(point.y)}`;
    last = point;
  }
  return path;
}

function r(value: number): number {
  return Math.round(value * 10) / 10;
}
