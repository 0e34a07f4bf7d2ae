//! Runs of every kind are left in the middle, copied to another store, and carried to their ends by an engine there.

use crate::support::{Place, fail, history, ok, on_every_store};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use vastflow::prelude::*;
use vastflow::store::{Copied, Store, copy};
use vastflow::{Choice, EngineBuilder, Event, Flow, OnExhausted, RunStatus, Window};

/// While it is closed, calls that pass it hang, or fail.
#[derive(Clone, Default)]
struct Gate(Arc<AtomicBool>);

impl Gate {
    fn open() -> Self {
        Gate(Arc::new(AtomicBool::new(true)))
    }

    fn is_open(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// A handler that hangs while it is closed.
    fn hangs(
        &self,
    ) -> impl Fn(u32) -> std::pin::Pin<Box<dyn Future<Output = Result<u32>> + Send>> + Send + Sync + 'static {
        let gate = self.clone();
        move |n| {
            let gate = gate.clone();
            Box::pin(async move {
                if !gate.is_open() {
                    std::future::pending::<()>().await;
                }
                ok(n + 1)
            })
        }
    }

    /// A handler that fails while it is closed.
    fn fails(&self) -> impl Fn(u32) -> std::future::Ready<Result<u32>> + Send + Sync + 'static {
        let gate = self.clone();
        move |n| std::future::ready(if gate.is_open() { ok(n + 1) } else { fail("not yet") })
    }
}

#[derive(Serialize, Deserialize)]
struct ThreePolls;

impl River for ThreePolls {
    const NAME: &'static str = "three-polls";

    fn attr(&self) -> RiverAttr {
        RiverAttr::new().cycle(5, 100.ms())
    }

    async fn flow(&self, _: &Headwaters) -> Result<(), RiverError> {
        Ok(())
    }

    async fn cycle(&self, hw: &Headwaters) -> Result<Cycle, RiverError> {
        let is_early = hw.ctx().is_some_and(|ctx| ctx.attempt() < 3);
        Ok(if is_early { Cycle::Continue("not yet".into()) } else { Cycle::Done })
    }
}

async fn next(n: u32) -> Result<u32> {
    ok(n + 1)
}

async fn sum(all: Vec<u32>) -> Result<u32> {
    ok(all.iter().sum())
}

/// One flow of each kind, named by what its run waits for while the gate is closed, with what it gives in the end.
fn flows(gate: &Gate) -> Vec<(Flow<u32, u32>, Option<u32>)> {
    let (hangs, fails) = (|| gate.hangs(), || gate.fails());
    vec![
        (
            Flow::dag("retry", |dag, n: Node<u32>| dag.node("n", fails(), n).retry(50.times().every(200.ms())))
                .unwrap(),
            Some(2),
        ),
        (
            Flow::dag("poll", |dag, n: Node<u32>| {
                let river = dag.river("river", ThreePolls, n);
                dag.node("n", |(n, ()): (u32, ())| next(n), (n, river))
            })
            .unwrap(),
            Some(2),
        ),
        (Flow::dag("sleep", |dag, n: Node<u32>| dag.node("n", next, dag.sleep("nap", 400.ms(), n))).unwrap(), Some(2)),
        (
            Flow::dag("signal", |dag, n: Node<u32>| {
                let more: Node<u32> = dag.wait_signal("more", n);
                dag.node("n", |(a, b): (u32, u32)| async move { ok(a + b) }, (n, more))
            })
            .unwrap(),
            Some(11),
        ),
        (
            Flow::dag("foreach", |dag, n: Node<u32>| {
                let items = dag.node("list", |_: u32| async { ok(vec![1_u32, 2, 3, 4, 5, 6]) }, n);
                let gate = gate.clone();
                let late = move |n: u32| {
                    let gate = gate.clone();
                    async move {
                        if n > 3 && !gate.is_open() {
                            std::future::pending::<()>().await;
                        }
                        ok(n)
                    }
                };
                dag.node("sum", sum, dag.for_each("each", items, move |dag, n| dag.node("item", late, n)).window(2))
            })
            .unwrap(),
            Some(21),
        ),
        (
            Flow::dag("basin", |dag, n: Node<u32>| {
                let hangs = hangs();
                dag.basin("inside", n, move |dag, n| dag.node("hang", hangs, dag.node("first", next, n)))
            })
            .unwrap(),
            Some(3),
        ),
        (
            Flow::dag("branch", |dag, n: Node<u32>| {
                let hangs = hangs();
                dag.branch("which", n, |_: &u32| "this")
                    .case("this", move |dag, n| dag.node("hang", hangs, n))
                    .case("that", |dag, n| dag.node("other", next, n))
                    .join()
            })
            .unwrap(),
            Some(2),
        ),
        (
            // It cannot end before it is paused.
            Flow::dag("paused", |dag, n: Node<u32>| dag.node("n", hangs(), dag.sleep("nap", 400.ms(), n))).unwrap(),
            Some(2),
        ),
        (Flow::dag("stopping", |dag, n: Node<u32>| dag.node("n", hangs(), n)).unwrap(), None),
        (Flow::dag("line", |dag, n: Node<u32>| dag.node("n", hangs(), n)).unwrap(), Some(2)),
        (
            Flow::dag("attention", |dag, n: Node<u32>| dag.node("n", fails(), n).on_exhausted(OnExhausted::Pause))
                .unwrap(),
            Some(2),
        ),
        (
            Flow::dag("undo", |dag, n: Node<u32>| {
                let gate = gate.clone();
                let undo =
                    move |_: Option<u32>| std::future::ready(if gate.is_open() { ok(()) } else { fail("closed") });
                let made = dag.node("made", next, n).undo(undo).undo_retry(50.times().every(200.ms()));
                dag.node("broken", |_: u32| async { fail::<u32>("broken") }, made)
            })
            .unwrap(),
            None,
        ),
        (Flow::dag("done", |dag, n: Node<u32>| dag.node("n", next, n)).unwrap(), Some(2)),
    ]
}

fn with_flows(engine: EngineBuilder, gate: &Gate) -> EngineBuilder {
    let engine = flows(gate).into_iter().fold(engine, |engine, (flow, _)| engine.flow(flow));
    engine.flow_window("line", Window::fixed(1))
}

/// Waits until what is asked for is in a run's journal, or in that of a scope of it.
async fn until(store: &Arc<dyn Store>, id: &str, is_there: impl Fn(&[Event]) -> bool) {
    for _ in 0..20_000 {
        let events: Vec<Event> = history(store, id).await.into_iter().map(|recorded| recorded.event).collect();
        if is_there(&events) {
            return;
        }
        tokio::time::sleep(5.ms()).await;
    }
    panic!("{id} does not come so far");
}

fn count(events: &[Event], name: &str) -> usize {
    events.iter().filter(|event| event.name() == name).count()
}

/// Leaves a run of every flow in the middle, and closes the store.
async fn leave_runs(place: &Place) {
    let (store, gate) = (place.open().await, Gate::default());
    let engine = with_flows(Engine::on(Arc::clone(&store)), &gate).start().await.unwrap();
    for (flow, _) in flows(&gate) {
        engine.run(flow.name().as_str(), 1_u32).id(flow.name().as_str()).await.unwrap();
    }
    engine.run("line", 1_u32).id("second-in-line").await.unwrap();
    engine.handle("paused").await.unwrap().pause("ann", "lunch").await.unwrap();
    until(&store, "retry", |events| count(events, "AttemptFailed") > 0).await;
    until(&store, "poll", |events| count(events, "Polled") > 0).await;
    until(&store, "foreach", |events| count(events, "ChildEnded") == 3).await;
    until(&store, "branch", |events| count(events, "BranchChosen") == 1).await;
    until(&store, "attention", |events| count(events, "NodeParked") == 1).await;
    until(&store, "undo", |events| count(events, "UndoFailed") > 0).await;
    until(&store, "done", |events| count(events, "RunEnded") == 1).await;
    let inside = vastflow_core::ScopeId::root("basin".parse().unwrap()).child(&"inside".parse().unwrap(), "");
    while store.history(&inside, vastflow_core::Seq::ZERO, 9).await.unwrap().len() < 2 {
        tokio::time::sleep(5.ms()).await;
    }
    engine.handle("stopping").await.unwrap().cancel("ann", "no more").await.unwrap_or_default();
    // Calls hang, so they are given up.
    let _ = engine.shutdown_within(1.ms()).await;
    store.close().await.unwrap_or_default();
}

async fn ends_there(engine: &Engine) {
    for id in ["paused", "signal", "attention"] {
        let run = engine.handle(id).await.unwrap();
        match id {
            "paused" => {
                assert_eq!(run.status().await.unwrap(), RunStatus::Paused, "a paused run stays so");
                run.resume("ann", "back").await.unwrap();
            }
            "signal" => run.signal("more", 10_u32).send().await.unwrap(),
            _ => run.resolve("n", Choice::Retry, "ann", "up again").await.unwrap(),
        }
    }
    for (flow, gives) in flows(&Gate::open()).into_iter().map(|(flow, gives)| (flow.name().to_string(), gives)) {
        let run = engine.handle(&flow).await.unwrap();
        let output = tokio::time::timeout(60.secs(), run.output::<u32>()).await;
        let output = output.unwrap_or_else(|_| panic!("{flow} does not end"));
        assert_eq!(output.ok(), gives, "{flow}");
    }
    let line = engine.handle("second-in-line").await.unwrap();
    assert_eq!(line.output::<u32>().await.unwrap(), 2);
    assert_eq!(engine.handle("stopping").await.unwrap().status().await.unwrap(), RunStatus::Stopped);
    assert_eq!(engine.handle("undo").await.unwrap().status().await.unwrap(), RunStatus::Failed);
}

/// Runs are left in a file, and copied to each kind of store.
fn copies<F, Fut>(test: F)
where
    F: Fn(Arc<dyn Store>, Arc<dyn Store>) -> Fut + Copy + Send + Sync + 'static,
    Fut: Future<Output = ()> + Send,
{
    on_every_store(move |target| async move {
        let source = Place::sqlite();
        leave_runs(&source).await;
        test(source.open().await, target.open().await).await;
    });
}

#[test]
fn open_runs_of_every_kind_are_copied_and_end_there() {
    copies(|from, to| async move {
        let copied = copy(&*from, &*to, |_| {}).await.unwrap();
        assert_eq!((copied.runs, copied.of, copied.known), (14, 14, 0));
        assert_eq!(from.counts().await.unwrap(), to.counts().await.unwrap());
        let engine = with_flows(Engine::on(Arc::clone(&to)), &Gate::open()).start().await.unwrap();
        ends_there(&engine).await;

        let again = copy(&*from, &*to, |_| {}).await.unwrap();
        assert_eq!((again.known, again.events), (14, 0), "what went on there is not touched");
    });
}

#[test]
fn an_engine_that_serves_the_target_begins_with_what_is_whole() {
    copies(|from, to| async move {
        let engine = with_flows(Engine::on(Arc::clone(&to)), &Gate::open()).start().await.unwrap();
        let mut steps: Vec<Copied> = Vec::new();
        copy(&*from, &*to, |copied| steps.push(copied)).await.unwrap();
        vastflow_testsuite::steadily(&steps).unwrap();
        ends_there(&engine).await;
    });
}

#[test]
fn a_run_of_that_id_that_is_another_is_told_of() {
    copies(|from, to| async move {
        let engine = with_flows(Engine::on(Arc::clone(&to)), &Gate::open()).start().await.unwrap();
        engine.run("done", 5_u32).id("done").await.unwrap().output::<u32>().await.unwrap();
        let error = copy(&*from, &*to, |_| {}).await.unwrap_err().to_string();
        assert!(error.contains("in done is no copy") && error.contains("delete the other"), "{error}");
    });
}
