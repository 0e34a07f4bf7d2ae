import { useQuery } from "@tanstack/react-query";
import { isForbidden } from "../../api/problem";
import { queries } from "../../api/queries";
import { bytes } from "../../time/format";
import { Copy } from "../../ui/Copy";
import { parseExact } from "../../ui/json/exact";
import { Json } from "../../ui/json/Json";
import { Empty, Failed, Loading } from "../../ui/States";
import { Hidden } from "./Payloads";
import type { RunData } from "./useRun";

/** The data that the nodes of a run share. */
export default function Context({ data }: { data: RunData }) {
  const { data: context, error, refetch } = useQuery({ ...queries.context(data.id), enabled: data.run !== undefined });
  if (isForbidden(error)) return <Hidden />;
  if (error) return <Failed error={error} onRetry={() => void refetch()} />;
  if (!context) return <Loading />;
  if (context.items.length === 0) return <Empty title="Nothing is shared">Nodes put data here with <code>ctx.put</code>, rivers with their headwaters.</Empty>;
  return (
    <div className="pad">
      <div className="card table-box" tabIndex={0}>
        <table className="table">
          <thead><tr><th>Key</th><th>Value</th><th>Size</th></tr></thead>
          <tbody>
            {context.items.map((item) => (
              <tr key={item.key}>
                <td><code>{item.key}</code></td>
                <td className="context-value"><Value text={item.text ?? null} name={item.key} isCut={item.cut === true} /></td>
                <td data-label="Size" className="num quiet">{bytes(item.bytes)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </div>
  );
}

function Value({ text, name, isCut }: { text: string | null; name: string; isCut: boolean }) {
  if (text === null) return <span className="quiet">bytes</span>;
  const value = parsed(text);
  return (
    <div className="row">
      <div className="grow">{value === undefined ? <code>{text}{isCut && "…"}</code> : <Json value={value} />}</div>
      <Copy text={text} what={name} />
    </div>
  );
}

function parsed(text: string): unknown {
  try {
    return parseExact(text);
  } catch {
    return undefined;
  }
}
