import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useId, useState } from "react";
import { actions } from "../../api/actions";
import { told } from "../../api/problem";
import { queries } from "../../api/queries";
import type { MadeToken, Right, TokenRow } from "../../api/types";
import { Copyable } from "../../ui/Copy";
import { Dialog } from "../../ui/Dialog";
import { Icon } from "../../ui/icons";
import { say } from "../../ui/say";
import { Empty, Failed, Loading } from "../../ui/States";
import { Ago } from "../../ui/Time";
import { newToken } from "./tokens";

/** Who may do what by which token. */
export default function Tokens() {
  const { data, error, refetch } = useQuery(queries.tokens());
  const [isMaking, setMaking] = useState(false);
  const [ending, setEnding] = useState<TokenRow | null>(null);
  return (
    <div className="screen stack">
      <header className="screen-head">
        <h1 className="grow">Tokens</h1>
        <button type="button" className="button primary" onClick={() => { setMaking(true); }}><Icon name="plus" />New token</button>
      </header>
      {error ? <Failed error={error} onRetry={() => void refetch()} /> : !data ? <Loading /> : data.items.length === 0 ? (
        <Empty icon="link" title="There are no tokens">A token says who somebody is and what they may do. It is shown once, and can be given as a link that signs in.</Empty>
      ) : (
        <section className="card">
          <div className="table-box" tabIndex={0} role="region" aria-label="Table of tokens">
            <table className="table">
              <thead><tr><th>For whom</th><th>May</th><th>With</th><th>Made</th><th>Ends</th><th><span className="sr">What can be done</span></th></tr></thead>
              <tbody>{data.items.map((row) => <Line key={row.id} row={row} onEnd={() => { setEnding(row); }} />)}</tbody>
            </table>
          </div>
        </section>
      )}
      {isMaking && <Make onClose={() => { setMaking(false); }} />}
      {ending && <End row={ending} onClose={() => { setEnding(null); }} />}
    </div>
  );
}

function Line({ row, onEnd }: { row: TokenRow; onEnd: () => void }) {
  return (
    <tr>
      <td><b>{row.name}</b> <Copyable text={row.id} what="id of the token" /></td>
      <td data-label="May">{row.scopes.join(", ")}</td>
      <td data-label="With">{row.flows.length === 1 && row.flows[0] === "*" ? <span className="quiet">all flows</span> : row.flows.join(", ")}</td>
      <td data-label="Made"><Ago at={row.created_at_ms} /></td>
      <td data-label="Ends">{row.expires_at_ms > 8.64e15 ? <span className="quiet">never</span> : <Ago at={row.expires_at_ms} />}</td>
      <td className="right"><button type="button" className="button small-button" data-tone="bad" aria-label={`Revoke ${row.name} ${row.id}`} onClick={onEnd}>Revoke…</button></td>
    </tr>
  );
}

const rights: readonly [Right, string][] = [
  ["viewer", "look, but not at what runs carry"],
  ["operator", "start, signal, and all verbs but deleting"],
  ["admin", "all, tokens and the audit log too"],
];

function Make({ onClose }: { onClose: () => void }) {
  const [made, setMade] = useState<MadeToken | null>(null);
  if (made) return <Made made={made} onClose={onClose} />;
  return <Draft onClose={onClose} onMade={setMade} />;
}

function Draft({ onClose, onMade }: { onClose: () => void; onMade: (made: MadeToken) => void }) {
  const [name, setName] = useState("");
  const [right, setRight] = useState<Right>("viewer");
  const [seesPayloads, setSeesPayloads] = useState(false);
  const [flows, setFlows] = useState("");
  const [days, setDays] = useState("90");
  const id = useId();
  const client = useQueryClient();
  const { mutate, isPending, error } = useMutation({
    mutationFn: () => actions.makeToken(newToken({ name, right, seesPayloads, flows, days })),
    onSuccess: (token) => {
      void client.invalidateQueries({ queryKey: ["tokens"] });
      onMade(token);
    },
  });
  return (
    <Dialog title="New token" onClose={onClose}>
      <form className="dialog-form" onSubmit={(event) => { event.preventDefault(); mutate(); }}>
        <div className="dialog-body">
          <div className="field"><label className="field-name" htmlFor={`${id}n`}>For whom</label>
            <input id={`${id}n`} className="input" value={name} required autoFocus onChange={(event) => { setName(event.target.value); }} /></div>
          <fieldset className="choices">
            <legend className="field-name">May</legend>
            {rights.map(([key, says]) => (
              <label key={key} className="choice">
                <input type="radio" name="right" checked={right === key} onChange={() => { setRight(key); }} />
                <span><b>{key}</b> <span className="quiet">{says}</span></span>
              </label>
            ))}
            <label className="choice">
              <input type="checkbox" checked={seesPayloads} onChange={() => { setSeesPayloads(!seesPayloads); }} />
              <span><b>payload:read</b> <span className="quiet">see inputs and outputs, besides</span></span>
            </label>
          </fieldset>
          <div className="field"><label className="field-name" htmlFor={`${id}f`}>With which flows</label>
            <input id={`${id}f`} className="input" value={flows} placeholder="all; or names and patterns: order*, mail" onChange={(event) => { setFlows(event.target.value); }} /></div>
          <div className="field"><label className="field-name" htmlFor={`${id}d`}>For how many days</label>
            <input id={`${id}d`} className="input" type="number" min={1} max={3650} value={days} onChange={(event) => { setDays(event.target.value); }} /></div>
          {error !== null && <p className="field-bad" role="alert">{told(error).detail}</p>}
        </div>
        <footer className="dialog-foot">
          <button type="button" className="button" onClick={onClose}>Cancel</button>
          <button type="submit" className="button primary" disabled={isPending || name.trim() === ""}>Make it</button>
        </footer>
      </form>
    </Dialog>
  );
}

function Made({ made, onClose }: { made: MadeToken; onClose: () => void }) {
  return (
    <Dialog title={`Token for ${made.row.name}`} onClose={onClose}>
      <div className="dialog-body">
        <p>Copy it now: only its hash is kept, and it is not shown again.</p>
        <p className="token-made"><Copyable text={made.token} what="token" /></p>
      </div>
      <footer className="dialog-foot"><button type="button" className="button primary" onClick={onClose}>Done</button></footer>
    </Dialog>
  );
}

function End({ row, onClose }: { row: TokenRow; onClose: () => void }) {
  const client = useQueryClient();
  const { mutate, isPending, error } = useMutation({
    mutationFn: () => actions.revokeToken(row.id),
    onSuccess: () => {
      say(`The token of ${row.name} is good for nothing any more`);
      void client.invalidateQueries({ queryKey: ["tokens"] });
      onClose();
    },
  });
  return (
    <Dialog title={`Revoke the token of ${row.name}?`} onClose={onClose}>
      <div className="dialog-body">
        <p>Whoever uses it is refused from now on, and its sessions end. This cannot be undone.</p>
        {error !== null && <p className="field-bad" role="alert">{told(error).detail}</p>}
      </div>
      <footer className="dialog-foot">
        <button type="button" className="button" onClick={onClose}>Keep it</button>
        <button type="button" className="button primary" data-tone="bad" disabled={isPending} onClick={() => { mutate(); }}>Revoke</button>
      </footer>
    </Dialog>
  );
}
