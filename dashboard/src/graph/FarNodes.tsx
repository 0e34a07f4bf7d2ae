// A graph seen from afar. Thousands of nodes are a few paths then, one for each colour: nothing that pans slowly.
import { memo, useMemo } from "react";
import { look } from "../ui/status";
import { NODE, type PlacedNode } from "./layout";
import type { Looks } from "./looks";

export const FarNodes = memo(function FarNodes({ nodes, looks }: { nodes: readonly PlacedNode[]; looks: Looks | null }) {
  const paths = useMemo(() => {
    const byTone = new Map<string, string[]>();
    for (const { id, x, y } of nodes) {
      const { tone } = look(looks?.get(id)?.status ?? "");
      const list = byTone.get(tone) ?? [];
      list.push(`M${Math.round(x)} ${Math.round(y)}h${NODE.width}v${NODE.height}h-${NODE.width}z`);
      byTone.set(tone, list);
    }
    return [...byTone].map(([tone, list]) => ({ tone, path: list.join("") }));
  }, [nodes, looks]);
  return paths.map(({ tone, path }) => <path key={tone} className="far" data-tone={tone} d={path} />);
});
