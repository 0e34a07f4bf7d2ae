import { useQuery } from "@tanstack/react-query";
import { useState, type ReactNode } from "react";
import { useRights } from "../api/me";
import { queries } from "../api/queries";
import { useLiveState } from "../live/useLive";
import { useKeys } from "../keyboard/keys";
import { Link } from "../router/Link";
import { navigate, usePlace } from "../router/router";
import { Account } from "../session/Account";
import { setTheme, useTheme } from "../theme/theme";
import { count } from "../time/format";
import { setZone, useZone } from "../time/zone";
import { Icon } from "../ui/icons";
import { countEvery } from "./badge";
import { Help } from "./Help";
import { LiveSign, Stale } from "./LiveSign";
import { routes } from "./routes";
import "./shell.css";

const THEMES = { system: "light", light: "dark", dark: "system" } as const;
const THEME_ICON = { system: "system", light: "sun", dark: "moon" } as const;

/** What stands around every screen: where one can go, who one is, whether the page is live. */
export function Shell({ children }: { children: ReactNode }) {
  const [isHelpOpen, setHelpOpen] = useState(false);
  const { may } = useRights();
  const places = routes.flatMap(({ nav, title }) => (nav && (nav.needs === undefined || may(nav.needs)) ? [{ ...nav, title }] : []));
  useKeys("Everywhere", [
    { keys: "?", says: "Keys", run: () => { setHelpOpen(true); } },
    ...places.map(({ key, title, to }) => ({ keys: `g ${key}`, says: `Go to ${title}`, run: () => { navigate(to); } })),
  ]);
  return (
    <div className="shell">
      <a className="skip" href="#main">Skip to the content</a>
      <nav className="side" aria-label="Main">
        <Link to="/" className="brand"><Icon name="wave" size={20} /><span>vastflow</span></Link>
        <ul className="places">
          {places.map(({ to, title, icon }) => <li key={to}><Place to={to} title={title} icon={icon} /></li>)}
        </ul>
        <div className="side-foot">
          <Account />
          <Switches onHelp={() => { setHelpOpen(true); }} />
        </div>
      </nav>
      <div className="main-box">
        <Insecure />
        <main id="main" tabIndex={-1}>{children}</main>
      </div>
      <Stale />
      {isHelpOpen && <Help onClose={() => { setHelpOpen(false); }} />}
    </div>
  );
}

function Place({ to, title, icon }: { to: string; title: string; icon: Parameters<typeof Icon>[0]["name"] }) {
  const { path } = usePlace();
  const isHere = to === "/" ? path === "/" : path === to || path.startsWith(`${to}/`);
  return (
    <Link to={to} className="place" aria-current={isHere ? "page" : undefined}>
      <Icon name={icon} size={18} />
      <span>{title}</span>
      {to === "/attention" && <Waits />}
    </Link>
  );
}

/** How many runs wait for a person, for those who may know. */
function Waits() {
  const { data } = useQuery({ ...queries.counts(), refetchInterval: countEvery(useLiveState()) });
  const waiting = data?.runs["needs-attention"] ?? 0;
  if (waiting === 0) return null;
  return <span className="place-count num" title={`${count(waiting)} wait for a decision`}>{waiting > 99 ? "99+" : waiting}<span className="sr"> wait for a decision</span></span>;
}

function Switches({ onHelp }: { onHelp: () => void }) {
  const theme = useTheme();
  const zone = useZone();
  return (
    <div className="row switches">
      <LiveSign />
      <button type="button" className="icon-button" title={`Theme: ${theme}`} aria-label={`Theme: ${theme}. Change it`}
        onClick={() => { setTheme(THEMES[theme]); }}>
        <Icon name={THEME_ICON[theme]} />
      </button>
      <button type="button" className="icon-button zone" title={zone === "utc" ? "Times are in UTC" : "Times are in your zone"}
        aria-label={zone === "utc" ? "Times are in UTC. Show them in your zone" : "Times are in your zone. Show them in UTC"}
        onClick={() => { setZone(zone === "utc" ? "local" : "utc"); }}>
        {zone === "utc" ? "UTC" : <Icon name="clock" />}
      </button>
      <button type="button" className="icon-button" title="Keys (?)" aria-label="Keys" onClick={onHelp}><Icon name="help" /></button>
    </div>
  );
}

/** Said in red and always: anybody who reaches this service may do everything. */
function Insecure() {
  const { data } = useQuery(queries.health());
  if (!data?.insecure_no_auth) return null;
  return (
    <p className="insecure" role="alert">
      This service listens for other machines and asks nobody who they are (<code>--insecure-no-auth</code>).
    </p>
  );
}
