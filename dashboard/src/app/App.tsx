import { Suspense, useEffect } from "react";
import { match } from "../router/match";
import { Link } from "../router/Link";
import { usePlace } from "../router/router";
import { Says } from "../ui/Says";
import { Empty, Loading } from "../ui/States";
import { Crashed } from "./Crashed";
import { loadAll, routes } from "./routes";
import { Shell } from "./Shell";

function find(path: string) {
  for (const route of routes) {
    const parts = match(route.pattern, path);
    if (parts) return { route, parts };
  }
  return null;
}

/** When the first screen has most likely all that it needs. */
const REST = 1_000;

export function App() {
  const { path } = usePlace();
  const found = find(path);
  const title = found?.route.title ?? "Not found";
  useEffect(() => { document.title = `${title} · vastflow`; }, [title]);
  useEffect(() => {
    const timer = setTimeout(() => void loadAll(), REST);
    return () => { clearTimeout(timer); };
  }, []);
  return (
    <>
      <Shell>
        <Crashed at={path}>
          <Suspense fallback={<Loading />}>
            {found ? <found.route.screen parts={found.parts} /> : <NotFound />}
          </Suspense>
        </Crashed>
      </Shell>
      <Says />
    </>
  );
}

function NotFound() {
  return (
    <div className="screen">
      <h1>There is no such page</h1>
      <Empty title="Its address may be cut short"><Link to="/" className="button">To the overview</Link></Empty>
    </div>
  );
}
