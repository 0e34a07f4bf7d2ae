import { useQuery } from "@tanstack/react-query";
import { told } from "../api/problem";
import { queries } from "../api/queries";
import type { Me } from "../api/types";
import { navigate } from "../router/router";
import { Menu, type MenuItem } from "../ui/Menu";
import { say } from "../ui/say";
import { leave } from "./enter";
import "./signin.css";

/** Who one is here, what one may do, and the way out. */
export function Account() {
  const { data } = useQuery(queries.me());
  if (!data) return null;
  const rights = data.scopes.join(", ");
  const title = `${data.name}: ${rights}`;
  const items = itemsFor(data);
  const name = <><span className="quiet">as</span><span className="cut">{data.name}</span></>;
  if (items.length === 0) return <p className="who row" title={title}>{name}</p>;
  return <div className="who"><Menu label={title} items={items}>{name}</Menu></div>;
}

function itemsFor(me: Me): MenuItem[] {
  const items: MenuItem[] = [];
  if (me.scopes.includes("admin") && me.by !== "nothing") {
    items.push({ label: "Tokens", icon: "link", run: () => { navigate("/tokens"); } });
  }
  if (me.by === "session") items.push({ label: "Sign out", icon: "left", run: () => void signOut() });
  return items;
}

async function signOut(): Promise<void> {
  try {
    await leave();
  } catch (error) {
    say(`You are still signed in. ${told(error).detail}`, true);
  }
}
