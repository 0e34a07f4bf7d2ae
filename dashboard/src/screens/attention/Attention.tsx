import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { AskResolve } from "../../actions/AskResolve";
import { AskSignal } from "../../actions/AskSignal";
import { AskVerb } from "../../actions/AskVerb";
import { useRights } from "../../api/me";
import { queries } from "../../api/queries";
import type { AttentionItem } from "../../api/types";
import { useStale } from "../../live/useAgain";
import { useLive } from "../../live/useLive";
import { splitAt } from "../../plan/scope";
import { Link } from "../../router/Link";
import { path } from "../../router/match";
import { useSearch } from "../../router/router";
import { count } from "../../time/format";
import { Copy, Copyable } from "../../ui/Copy";
import { Icon } from "../../ui/icons";
import { Empty, Failed, Loading } from "../../ui/States";
import { Ago } from "../../ui/Time";
import { groups, keyOf, kindOf, remedies, type Group, type Remedy } from "./attention";
import { NotAll } from "./NotAll";
import "./attention.css";

/** How many runs of each kind are asked for; are there more, the answer says that it is of a part. */
const MOST = 200;
/** What news makes stale, and how often at most. */
const STALE = [["attention"]];
const EVERY = 500;

interface Doing {
  remedy: Remedy;
  item: AttentionItem;
}

/** What does not go on without a person. */
export default function Attention() {
  const { data, error, refetch } = useQuery({ ...queries.attention(MOST), refetchInterval: 10_000 });
  useLive(null, useStale(STALE, EVERY));
  const [search, change] = useSearch();
  const [doing, setDoing] = useState<Doing | null>(null);
  const found = groups(data?.items ?? []);
  const kind = search.get("kind");
  const shown = kind === null ? found : found.filter((group) => group.kind === kind);
  const choose = (next: string | null) => {
    change((search) => { if (next === null) search.delete("kind"); else search.set("kind", next); });
  };
  return (
    <div className="screen stack">
      <header className="screen-head attention-head">
        <h1>Attention</h1>
        {found.length > 1 && <Kinds groups={found} chosen={kind} onChoose={choose} />}
      </header>
      {error ? <Failed error={error} onRetry={() => void refetch()} /> : !data ? <Loading /> : shown.length === 0 ? (data.partial ? <NotAll isNone /> : (
        <Empty icon="check" title="Nothing waits for you">What fails for good, lacks its code or cannot be undone shows up here.</Empty>
      )) : shown.map((group) => <Items key={group.kind} group={group} onDo={setDoing} />)}
      {data?.partial && shown.length > 0 && <NotAll isNone={false} />}
      {doing && <Remedying doing={doing} onClose={() => { setDoing(null); }} />}
    </div>
  );
}

function Kinds({ groups, chosen, onChoose }: { groups: Group[]; chosen: string | null; onChoose: (kind: string | null) => void }) {
  return (
    <div className="row wrap" role="group" aria-label="Show">
      <button type="button" className="chip" aria-pressed={chosen === null} onClick={() => { onChoose(null); }}>All</button>
      {groups.map(({ kind, items }) => (
        <button key={kind} type="button" className="chip" aria-pressed={chosen === kind} onClick={() => { onChoose(kind); }}>
          {kindOf(kind).title} <span className="num quiet">{items.length}</span>
        </button>
      ))}
    </div>
  );
}

function Items({ group, onDo }: { group: Group; onDo: (doing: Doing) => void }) {
  const { title, says, tone, sign } = kindOf(group.kind);
  const id = `attention-${group.kind}`;
  return (
    <section className="card" aria-labelledby={id}>
      <header className="card-head attention-kind" data-tone={tone}>
        <span className="attention-sign" aria-hidden="true">{sign}</span>
        <div className="grow">
          <h2 id={id}>{title} <span className="quiet num">{group.items.length}</span></h2>
          {says && <p className="quiet small">{says}</p>}
        </div>
      </header>
      <ul>{group.items.map((item) => <Item key={keyOf(item)} item={item} onDo={onDo} />)}</ul>
    </section>
  );
}

function Item({ item, onDo }: { item: AttentionItem; onDo: (doing: Doing) => void }) {
  const { may } = useRights();
  const possible = may("operator") && item.run ? kindOf(item.kind).remedies : [];
  return (
    <li className="attention-item">
      <div className="grow">
        <p className="row wrap attention-where">
          {item.run ? <span className="copyable"><Link to={path("runs", item.run)} className="attention-run">{item.run}</Link><Copy text={item.run} what="id" /></span> : <b>{count(item.runs)} runs</b>}
          <span className="quiet">of <Link to={path("flows", item.flow)}>{item.flow}</Link></span>
          {item.at && <span className="quiet">at <Copyable text={item.at} what="place of the node" /></span>}
          {item.since_ms != null && <span className="quiet small"><Ago at={item.since_ms} /></span>}
        </p>
        <p className="attention-why mono">{item.why}</p>
      </div>
      {possible.length > 0 && (
        <div className="row wrap attention-verbs">
          {possible.map((remedy) => (
            <button key={remedy} type="button" className="button small-button" aria-label={`${remedies[remedy].label} ${item.at ?? ""} ${item.run ?? ""}`}
              title={remedies[remedy].says} onClick={() => { onDo({ remedy, item }); }}>
              <Icon name={remedies[remedy].icon} />{remedies[remedy].label}
            </button>
          ))}
        </div>
      )}
    </li>
  );
}

function Remedying({ doing, onClose }: { doing: Doing; onClose: () => void }) {
  const { item: { run, at, signal }, remedy } = doing;
  if (!run) return null;
  if (remedy === "new-run") return <AskVerb run={{ id: run }} verb="retry" onClose={onClose} />;
  if (remedy === "signal") return <AskSignal run={run} name={signal ?? undefined} scope={splitAt(at ?? "").scope} onClose={onClose} />;
  return <AskResolve run={run} at={at ?? ""} choice={remedy} onClose={onClose} />;
}
