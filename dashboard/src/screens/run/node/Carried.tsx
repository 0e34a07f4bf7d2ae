import { useQuery } from "@tanstack/react-query";
import { lazy, Suspense, useState } from "react";
import { isForbidden, Refused, told } from "../../../api/problem";
import { queries } from "../../../api/queries";
import { Icon } from "../../../ui/icons";
import { Loading } from "../../../ui/States";

const Payload = lazy(() => import("../../../ui/json/Payload").then(({ Payload }) => ({ default: Payload })));

/** What flowed into a node or what it gave, as text; for editing. */
export function useCarried(run: string, at: string, which: "input" | "output", isWanted: boolean): string | undefined {
  const { data } = useQuery({ ...queries.carried(run, at, which), enabled: isWanted });
  return data ? new TextDecoder().decode(data.bytes) : undefined;
}

/** What flowed into a node, or what it gave. Asked for only when somebody wants to see it. */
export function Carried({ run, at, which }: { run: string; at: string; which: "input" | "output" }) {
  const [isOpen, setOpen] = useState(false);
  const { data, error } = useQuery({ ...queries.carried(run, at, which), enabled: isOpen });
  return (
    <section>
      <button type="button" className="fold-head" aria-expanded={isOpen} onClick={() => { setOpen(!isOpen); }}>
        <Icon name={isOpen ? "down" : "right"} size={14} />{which === "input" ? "Input" : "Output"}
      </button>
      {isOpen && (
        <div className="fold-body">
          {data ? <Suspense fallback={<Loading lines={2} />}><Payload bytes={data.bytes} name={`${run}.${at}.${which}`} /></Suspense>
            : error ? <p className="quiet small">{why(error, which)}</p> : <Loading lines={2} />}
        </div>
      )}
    </section>
  );
}

function why(error: unknown, which: string): string {
  if (isForbidden(error)) return "Seeing what runs carry takes the right payload:read.";
  if (error instanceof Refused && (error.status === 404 || error.status === 409)) return `There is no ${which} yet.`;
  return told(error).detail;
}
