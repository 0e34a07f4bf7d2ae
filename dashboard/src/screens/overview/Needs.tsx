import { useQuery } from "@tanstack/react-query";
import { queries } from "../../api/queries";
import type { AttentionItem } from "../../api/types";
import { Link } from "../../router/Link";
import { path } from "../../router/match";
import { Empty, Failed, Loading } from "../../ui/States";
import { StatusDot } from "../../ui/Status";
import { NotAll } from "../attention/NotAll";

const SHOWN = 8;

/** What waits for a person; each line leads to where something can be done about it. */
export function Needs() {
  const { data, error, refetch } = useQuery(queries.attention());
  return (
    <section className="card needs" aria-labelledby="needs">
      <div className="card-head"><h2 id="needs" className="grow">Needs attention</h2><Link to="/attention" className="small">All</Link></div>
      {error ? <Failed error={error} onRetry={() => void refetch()} /> : !data ? <Loading lines={3} />
        : data.items.length > 0 ? <ul>{data.items.slice(0, SHOWN).map((item, at) => <Need key={`${item.run ?? item.flow} ${item.at ?? at}`} item={item} />)}</ul>
        : data.partial ? <NotAll isNone />
        : <Empty icon="check" title="Nothing waits for anybody" />}
      {data?.partial && data.items.length > 0 && <p className="card-foot quiet small">Not all was looked at: others may wait, too.</p>}
    </section>
  );
}

function Need({ item }: { item: AttentionItem }) {
  const to = item.run == null ? path("flows", item.flow) : path("runs", item.run) + (item.at == null ? "" : `?node=${encodeURIComponent(item.at)}`);
  // The first line says what; the rest is on the run's page.
  const [why] = item.why.replace(/^failed: /, "").split("\n", 1);
  return (
    <li>
      <Link to={to} className="need">
        <StatusDot of={item.kind === "failed" ? "failed" : item.kind === "code" ? "no code" : item.kind === "suspect" ? "running" : "parked"} />
        <span className="need-run cut">{item.run ?? `${item.runs} runs`}</span>
        <span className="need-why cut quiet">{why}</span>
        <span className="need-flow quiet small">{item.flow}</span>
      </Link>
    </li>
  );
}
