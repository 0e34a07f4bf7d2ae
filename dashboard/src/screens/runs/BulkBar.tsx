import { useState } from "react";
import { useRights } from "../../api/me";
import type { RunsAsked } from "../../api/queries";
import type { BulkAction, RunRow } from "../../api/types";
import { VERBS } from "../../actions/verbs";
import { whole } from "../../time/format";
import { Icon } from "../../ui/icons";
import { Menu } from "../../ui/Menu";
import { AskBulk, type Of } from "./AskBulk";

interface Props {
  picked: ReadonlySet<string>;
  /** What the list was asked for. */
  asked: RunsAsked;
  shown: readonly RunRow[];
  /** Whether there is more than is shown. */
  isMore: boolean;
  onDone: () => void;
}

/** What can be asked of the runs that were picked, or of all that are like those in the list. */
export function BulkBar({ picked, asked: like, shown, isMore, onDone }: Props) {
  const rights = useRights();
  const [asked, setAsked] = useState<{ action: BulkAction; of: Of } | null>(null);
  const isNarrowed = Object.keys(like).length > 0;
  const mine = VERBS.filter(({ right }) => rights.may(right));
  const byId: Of = { ids: [...picked] };
  const runs = shown.filter(({ id }) => picked.has(id));
  if (mine.length === 0) return null;
  const close = () => { setAsked(null); };
  if (picked.size === 0) {
    if (!isNarrowed || (shown.length === 0 && !isMore)) return null;
    return (
      <div className="bulk-corner">
        <Menu label="All runs like these" items={mine.map(({ verb, label, icon, isDestructive }) => ({ label: `${label} all…`, icon, isBad: isDestructive, run: () => { setAsked({ action: verb, of: { like } }); } }))}>
          All like these<Icon name="down" size={12} />
        </Menu>
        {asked && <AskBulk {...asked} onClose={close} onDone={onDone} />}
      </div>
    );
  }
  return (
    <div className="bulk" role="region" aria-label="Picked runs">
      <strong className="num">{whole(picked.size)} picked</strong>
      {mine.filter(({ fits }) => runs.some(({ status }) => fits(status))).map(({ verb, label, icon, isDestructive }) => (
        <button key={verb} type="button" className="button small-button" data-tone={isDestructive ? "bad" : undefined} onClick={() => { setAsked({ action: verb, of: byId }); }}>
          <Icon name={icon} />{label}
        </button>
      ))}
      <span className="grow" />
      <button type="button" className="button small-button" onClick={onDone}>Clear</button>
      {asked && <AskBulk {...asked} onClose={close} onDone={onDone} />}
    </div>
  );
}
