import { useQuery } from "@tanstack/react-query";
import { queries } from "../../api/queries";
import { Link } from "../../router/Link";
import { count, duration } from "../../time/format";
import { useNow } from "../../time/now";
import { Loading } from "../../ui/States";

/** A call that has been ready for so long waits for a worker, and not for its turn. */
const LONG = 30_000;

/** What could be called now and is not, and who could call it. */
export function Waiting() {
  const { data: queues } = useQuery(queries.queues());
  const { data: workers } = useQuery({ ...queries.workers(), refetchInterval: 10_000 });
  const now = useNow();
  if (!queues) return <section className="card"><Loading lines={3} /></section>;
  const all = queues.items.reduce((sum, row) => ({ ready: sum.ready + row.ready, hand: sum.hand + row.in_hand, later: sum.later + row.later, held: sum.held + row.held }), { ready: 0, hand: 0, later: 0, held: 0 });
  const oldest = queues.items.filter(({ oldest_ready_ms }) => oldest_ready_ms != null).sort((a, b) => (a.oldest_ready_ms ?? 0) - (b.oldest_ready_ms ?? 0))[0];
  const age = oldest?.oldest_ready_ms == null ? null : Math.max(0, now - oldest.oldest_ready_ms);
  const alive = workers?.workers.filter(({ is_alive }) => is_alive) ?? [];
  const slots = alive.reduce((sum, worker) => sum + worker.slots, 0);
  return (
    <section className="card" aria-labelledby="waiting">
      <div className="card-head"><h2 id="waiting" className="grow">Waiting calls</h2><Link to="/workers" className="small">Workers</Link></div>
      <div className="card-body stack">
        <div>
          <p className="big num" data-tone={age !== null && age > LONG ? "warn" : undefined}>{age === null ? "none" : duration(age)}</p>
          <p className="quiet small">{oldest ? <>so long the oldest waits for a worker, in {oldest.flow}{oldest.lane != null && `, lane ${oldest.lane}`}</> : "all that could begin has begun"}</p>
        </div>
        <dl className="facts num">
          <dt>Ready</dt><dd>{count(all.ready)}</dd>
          <dt>In hand</dt><dd>{count(all.hand)}{slots > 0 && <span className="quiet"> of {count(slots)} slots</span>}</dd>
          <dt>Later</dt><dd>{count(all.later)}</dd>
          {all.held > 0 && <><dt>Held</dt><dd>{count(all.held)}</dd></>}
          <dt>Workers</dt><dd>{count(alive.length)}{workers && workers.taken_over > 0 && <span className="quiet"> · {count(workers.taken_over)} calls taken over</span>}</dd>
        </dl>
      </div>
    </section>
  );
}
