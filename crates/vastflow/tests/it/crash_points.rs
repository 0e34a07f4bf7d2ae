//! A crash at every commit: the engine's store dies just before, or just after, the n-th commit takes effect; the next
//! engine on what is left carries the run to its end, with nothing lost and nothing recorded twice.

use crate::support::{Place, fail, history, ok, root};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use vastflow::prelude::*;
use vastflow::store::Store;
use vastflow::{Dag, EngineBuilder, Event, Flow, RunOutcome, RunStatus};
use vastflow_testsuite::{Fault, Faults, Faulty, law2};

/// More commits than a run of the flow takes.
const ENOUGH: u64 = 16;
const OUTPUT: &str = "a(1)+b(a(1))+c(a(1))+last";

#[derive(Serialize, Deserialize)]
struct TwoPolls;

impl River for TwoPolls {
    const NAME: &'static str = "two-polls";

    fn attr(&self) -> RiverAttr {
        RiverAttr::new().cycle(3, 3.ms())
    }

    async fn flow(&self, _: &Headwaters) -> Result<(), RiverError> {
        Ok(())
    }

    async fn cycle(&self, hw: &Headwaters) -> Result<Cycle, RiverError> {
        let is_first = hw.ctx().is_some_and(|ctx| ctx.attempt() == 1);
        Ok(if is_first { Cycle::Continue("not yet".into()) } else { Cycle::Done })
    }
}

/// A diamond, a river behind it, a node that fails twice, a last one, and `finally`.
fn flow() -> Flow<u32, String> {
    async fn a(n: u32) -> Result<String> {
        ok(format!("a({n})"))
    }
    async fn b(a: String) -> Result<String> {
        ok(format!("b({a})"))
    }
    async fn c(a: String) -> Result<String> {
        ok(format!("c({a})"))
    }
    async fn weak(ctx: Ctx, (a, b, c): (String, String, String)) -> Result<String> {
        if ctx.attempt() <= 2 { fail("not yet") } else { ok(format!("{a}+{b}+{c}")) }
    }
    async fn last((all, ()): (String, ())) -> Result<String> {
        ok(format!("{all}+last"))
    }
    Flow::dag("six", |dag: &Dag, n: Node<u32>| {
        dag.finally(|_: RunOutcome| async { ok(()) });
        let top = dag.node("a", a, n);
        let (left, right) = (dag.node("b", b, top), dag.node("c", c, top));
        let weak = dag.node("weak", weak, (top, left, right)).retry(2.times().every(3.ms()));
        let river = dag.river("river", TwoPolls, (left, right));
        dag.node("last", last, (weak, river))
    })
    .unwrap()
}

fn engine(store: Arc<dyn Store>) -> EngineBuilder {
    Engine::on(store).lease(1.secs()).flow(flow())
}

/// Runs the flow until its store dies; whether it came to its end.
async fn live(store: Arc<dyn Store>, id: &str) -> bool {
    let Ok(engine) = engine(store).start().await else { return false };
    let Ok(run) = engine.run("six", 1_u32).id(id).await else { return false };
    run.output::<String>().await.is_ok()
}

/// How often each node's result, the hook and the end are in the journal.
async fn tally(store: &Arc<dyn Store>, id: &str) -> BTreeMap<String, usize> {
    let mut tally = BTreeMap::new();
    for recorded in history(store, id).await {
        let what = match &recorded.event {
            Event::NodeSucceeded { node, .. } => flow().plan().node(*node).unwrap().name.to_string(),
            Event::HookDone { hook, .. } => format!("{hook:?}"),
            other @ (Event::AttemptFailed { .. } | Event::Submitted { .. } | Event::Polled { .. }) => {
                other.name().into()
            }
            other @ (Event::RunStarted(_) | Event::RunEnded { .. }) => other.name().into(),
            other => panic!("{other:?}"),
        };
        *tally.entry(what).or_default() += 1;
    }
    tally
}

async fn assert_law2(store: &Arc<dyn Store>, id: &str, when: &str) {
    law2(&**store, &[root(id)]).await.unwrap_or_else(|why| panic!("{when}: {why}"));
}

/// One life that may be cut short, and one that carries the run to its end. Whether the first was cut short.
async fn two_lives(place: &Place, faults: Faults, id: &str) -> bool {
    let when = format!("{faults:?} on {}", place.name());
    let inner = place.open().await;
    let faulty: Arc<Faulty> = Arc::new(Faulty::new(Arc::clone(&inner), faults));
    let ended = live(faulty.clone(), id).await;
    let stopped = faulty.fired(Fault::Stop) == 1;
    assert_ne!(ended, stopped, "{when}");
    assert_law2(&inner, id, &when).await;
    drop(faulty);
    // Lets go of the file; what the engine that was dropped still holds of it is no use any more.
    inner.close().await.unwrap();
    drop(inner);

    let store = place.open().await;
    assert_law2(&store, id, &when).await;
    let engine = engine(Arc::clone(&store)).start().await.unwrap();
    // Who was not told that the run began asks again; it never becomes a second one.
    let run = engine.run("six", 1_u32).id(id).await.unwrap();
    assert_eq!(run.output::<String>().await.unwrap(), OUTPUT, "{when}");
    let once = ["a", "b", "c", "weak", "river", "last", "Finally", "RunStarted", "RunEnded", "Submitted", "Polled"];
    let expected = once.map(|what| (what.to_owned(), 1)).into_iter().chain([("AttemptFailed".to_owned(), 2)]);
    assert_eq!(tally(&store, id).await, expected.collect(), "{when}");
    assert_eq!(run.status().await.unwrap(), RunStatus::Succeeded);
    assert_eq!(store.tasks(&root(id)).await.unwrap(), [], "{when}");
    assert_law2(&store, id, &when).await;
    stopped
}

/// Every place where the run can be cut, each in a life of its own.
async fn at_every_commit(place: impl AsyncFn(u64) -> Place, at_once: bool) {
    let mut lives = Vec::new();
    for at in 1..=ENOUGH {
        for (faults, name) in [(Faults::none().stop_before(at), "before"), (Faults::none().stop_after(at), "after")] {
            let (place, id) = (place(at).await, format!("{name}-{at}"));
            let life = tokio::spawn(async move { two_lives(&place, faults, &id).await });
            if at_once { lives.push((at, life)) } else { assert_cut(at, life).await }
        }
    }
    for (at, life) in lives {
        assert_cut(at, life).await;
    }
}

async fn assert_cut(at: u64, life: tokio::task::JoinHandle<bool>) {
    let stopped = life.await.unwrap();
    // Siblings may share a commit; where the last ones are varies, but not so much.
    match at {
        1..=6 => assert!(stopped, "commit {at} is one of the run"),
        ENOUGH => assert!(!stopped, "there are no more commits"),
        _ => {}
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_memory() {
    at_every_commit(async |_| Place::memory().await, true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_disk() {
    at_every_commit(async |_| Place::sqlite(), false).await;
}
