import { memo } from "react";
import { KIND_SAYS } from "../plan/spec";
import { look } from "../ui/status";
import { NODE, type PlacedNode } from "./layout";
import type { NodeLook } from "./looks";

interface Props {
  of: PlacedNode;
  looks: NodeLook | undefined;
  isChosen: boolean;
  /** Whether there is room for words. */
  isNear: boolean;
  onChoose: (id: string) => void;
}

const NAME_LETTERS = 20;
const LINE_LETTERS = 22;

function cut(text: string, most: number): string {
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}

/** A node: what it is called, where it stands, how long it took. */
export const GraphNode = memo(function GraphNode({ of, looks, isChosen, isNear, onChoose }: Props) {
  const { tone, sign } = look(looks?.status ?? "");
  const isMany = of.kind === "for_each";
  const line = looks?.line || KIND_SAYS[of.kind];
  // It begins with the words that are seen: who speaks to the browser says those.
  const name = cut(of.node.name, looks ? NAME_LETTERS : NAME_LETTERS + 3);
  const label = `${name} ${cut(line, LINE_LETTERS)}: ${of.id}, ${KIND_SAYS[of.kind]}${looks ? `, ${looks.status}, ${looks.line}` : ""}`;
  const classes = ["node", looks?.isFaded ? "faded" : "", isChosen ? "chosen" : "", looks ? "" : "plain"].filter(Boolean).join(" ");
  return (
    <g className={classes} data-tone={tone} data-status={looks?.status} transform={`translate(${of.x} ${of.y})`} role="button" tabIndex={0}
      aria-label={label} aria-pressed={isChosen} onClick={() => { onChoose(of.id); }}
      onKeyDown={(event) => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); onChoose(of.id); } }}>
      {isMany && <rect className="node-behind" x={6} y={6} width={NODE.width} height={NODE.height} rx={9} />}
      {isMany && <rect className="node-behind" x={3} y={3} width={NODE.width} height={NODE.height} rx={9} />}
      <rect className="node-box" width={NODE.width} height={NODE.height} rx={9} />
      {isNear ? (
        <>
          {looks && <circle className="node-dot" cx={20} cy={NODE.height / 2} r={11} />}
          {looks && <text className="node-sign" x={20} y={NODE.height / 2 + 4.5}>{sign}</text>}
          {" "}
          <text className="node-name" x={looks ? 40 : 14} y={23}>{name}</text>
          {" "}
          <text className="node-line" x={looks ? 40 : 14} y={40}>{cut(line, LINE_LETTERS)}</text>
        </>
      ) : looks && <rect className="node-bar" width={10} height={NODE.height} rx={4} />}
      {looks?.many && looks.many.all > 0 && <Progress {...looks.many} />}
    </g>
  );
});

/** How far a foreach is: ended, failed. */
function Progress({ all, ended, failed }: { all: number; ended: number; failed: number }) {
  const room = NODE.width - 20;
  return (
    <g transform={`translate(10 ${NODE.height - 6})`}>
      <rect className="node-track" width={room} height={2.5} rx={1.25} />
      <rect className="node-done" width={(room * ended) / all} height={2.5} rx={1.25} />
      {failed > 0 && <rect className="node-failed" width={Math.max(3, (room * failed) / all)} height={2.5} rx={1.25} />}
    </g>
  );
}
