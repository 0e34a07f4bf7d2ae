// A layout for graphs that dagre takes too long for: layers by the longest way from a start, an order within each that
// keeps what hangs together side by side. A few sweeps over all edges, so thousands of nodes take milliseconds.

export interface Size {
  width: number;
  height: number;
}

export interface Point {
  x: number;
  y: number;
}

const SWEEPS = 6;

/** The layer of each node: one behind the last of those that it waits for. */
export function layers(count: number, edges: readonly (readonly [number, number])[]): number[] {
  const out: number[][] = Array.from({ length: count }, () => []);
  const waits = new Array<number>(count).fill(0);
  for (const [from, to] of edges) {
    out[from]?.push(to);
    waits[to] = (waits[to] ?? 0) + 1;
  }
  const layer = new Array<number>(count).fill(0);
  const ready = waits.flatMap((waiting, node) => (waiting === 0 ? [node] : []));
  for (let node = ready.pop(); node !== undefined; node = ready.pop()) {
    for (const to of out[node] ?? []) {
      layer[to] = Math.max(layer[to] ?? 0, (layer[node] ?? 0) + 1);
      waits[to] = (waits[to] ?? 0) - 1;
      if (waits[to] === 0) ready.push(to);
    }
  }
  return layer;
}

/** Where the middle of each node lies; layers go along `x`. */
export function layered(count: number, edges: readonly (readonly [number, number])[], gaps: { along: number; across: number }): Point[] {
  const layer = layers(count, edges);
  const rows: number[][] = [];
  layer.forEach((at, node) => (rows[at] ??= []).push(node));
  const place = new Array<number>(count).fill(0);
  const set = (row: number[]) => { row.forEach((node, at) => { place[node] = at - (row.length - 1) / 2; }); };
  rows.forEach(set);
  const near: { before: number[]; behind: number[] }[] = Array.from({ length: count }, () => ({ before: [], behind: [] }));
  for (const [from, to] of edges) {
    near[from]?.behind.push(to);
    near[to]?.before.push(from);
  }
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    const isForth = sweep % 2 === 0;
    for (const row of isForth ? rows : [...rows].reverse()) {
      const wish = new Map(row.map((node) => [node, middle(isForth ? near[node]?.before : near[node]?.behind, place) ?? place[node] ?? 0]));
      row.sort((a, b) => (wish.get(a) ?? 0) - (wish.get(b) ?? 0));
      set(row);
    }
  }
  return layer.map((at, node) => ({ x: at * gaps.along, y: (place[node] ?? 0) * gaps.across }));
}

function middle(nodes: readonly number[] | undefined, place: readonly number[]): number | null {
  if (!nodes || nodes.length === 0) return null;
  return nodes.reduce((sum, node) => sum + (place[node] ?? 0), 0) / nodes.length;
}
