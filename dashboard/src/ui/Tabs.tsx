import { Link } from "../router/Link";

export interface Tab {
  key: string;
  label: string;
  to: string;
  count?: number | undefined;
}

/** Views of one thing. Each has an address of its own. */
export function Tabs({ tabs, chosen, label }: { tabs: readonly Tab[]; chosen: string; label: string }) {
  return (
    <nav className="tabs" aria-label={label}>
      {tabs.map((tab) => (
        <Link key={tab.key} to={tab.to} className="tab" aria-current={tab.key === chosen ? "page" : undefined}>
          {tab.label}
          {tab.count !== undefined && tab.count > 0 && <span className="tab-count num">{tab.count}</span>}
        </Link>
      ))}
    </nav>
  );
}
