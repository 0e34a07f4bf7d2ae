import { Link } from "../../router/Link";
import { Icon } from "../../ui/icons";
import { Empty } from "../../ui/States";

/** For one answer the service looks at so many runs of each kind, and for so long. What it did not look at may wait, too; the lists of runs have all. */
export function NotAll({ isNone }: { isNone: boolean }) {
  const where = <>There are more runs than are looked at at once. All are in the lists of runs that <Link to="/runs?status=needs-attention">need a decision</Link>, <Link to="/runs?status=failed">failed</Link> or <Link to="/runs?status=running">go on</Link>.</>;
  if (isNone) return <Empty icon="attention" title="Nothing was found, but not all was looked at">{where}</Empty>;
  return <div className="note small" role="note" data-tone="warn"><Icon name="attention" /><p>Not all was looked at: others may wait, too. {where}</p></div>;
}
