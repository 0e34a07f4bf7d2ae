//! Starting runs: ids, flows that are not there, what is joined and what is refused.

use crate::support::{Place, Scene, fail, ok, on_every_store};
use crate::watched::Watched;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use vastflow::prelude::*;
use vastflow::{Error, Flow, RunStatus};

async fn double(n: u32) -> Result<u32> {
    Ok(n * 2)
}

fn doubling(name: &str) -> Flow<u32, u32> {
    Flow::dag(name, |dag, n: Node<u32>| dag.node("double", double, n)).unwrap()
}

async fn engine(place: &Place) -> Engine {
    place.engine().await.flow(doubling("double")).flow(doubling("other")).start().await.unwrap()
}

fn code(result: Result<Run, Error>) -> &'static str {
    result.map_or_else(|error| error.code(), |_| "started")
}

#[test]
fn the_same_id_is_the_same_run() {
    on_every_store(|place| async move {
        let first = engine(&place).await;
        let run = first.run("double", 21).id("a").await.unwrap();
        let same = first.run("double", 21).id("a").await.unwrap();
        assert_eq!(run.id(), same.id());
        assert_eq!((run.output::<u32>().await.unwrap(), same.output::<u32>().await.unwrap()), (42, 42));
        let finished = first.run("double", 21).id("a").await.unwrap();
        assert_eq!(finished.output::<u32>().await.unwrap(), 42);
        assert_eq!(first.store().counts().await.unwrap().succeeded, 1, "one run, however often it is started");
        drop((run, same, finished));
        first.shutdown().await.unwrap();
        let second = engine(&place).await;
        let reopened = second.run("double", 21).id("a").await.unwrap();
        assert_eq!(reopened.output::<u32>().await.unwrap(), 42);
        assert_eq!(second.store().counts().await.unwrap().succeeded, 1);
    });
}

#[test]
fn the_same_id_with_something_else_is_refused() {
    on_every_store(|place| async move {
        let scene = Scene::new();
        let waits = waiting("waits", &scene);
        let first = engine(&place).await;
        first.run("double", 21).id("a").await.unwrap().output::<u32>().await.unwrap();
        assert_eq!(code(first.run("double", 22).id("a").await), "already-exists");
        assert_eq!(code(first.run("other", 21).id("a").await), "already-exists");
        let error = first.run("double", 22).id("a").await.unwrap_err().to_string();
        assert!(error.contains("\"a\"") && error.contains("use another id"), "{error}");
        first.shutdown().await.unwrap();
        let second = place.engine().await.flow(doubling("double")).flow(waits).start().await.unwrap();
        assert_eq!(code(second.run("double", 22).id("a").await), "already-exists");
        let going = second.run("waits", 1_u32).id("b").await.unwrap();
        scene.entered.notified().await;
        assert_eq!(code(second.run("waits", 2_u32).id("b").await), "already-exists");
        scene.go.notify_one();
        assert_eq!(going.output::<u32>().await.unwrap(), 1, "the run that is there goes on");
    });
}

/// A flow of one node that waits for its scene, and gives its input.
fn waiting(name: &str, scene: &Arc<Scene>) -> Flow<u32, u32> {
    let scene = Arc::clone(scene);
    Flow::dag(name, |dag, n: Node<u32>| {
        let wait = move |n: u32| {
            let scene = Arc::clone(&scene);
            async move {
                scene.note(format!("called with {n}"));
                scene.pass().await;
                ok(n)
            }
        };
        dag.node("wait", wait, n)
    })
    .unwrap()
}

#[test]
fn a_second_start_holds_no_slot() {
    on_every_store(|place| async move {
        let engine = place.engine().await.concurrency(1).flow(doubling("double")).start().await.unwrap();
        for _ in 0..3 {
            assert_eq!(engine.run("double", 21).id("a").await.unwrap().output::<u32>().await.unwrap(), 42);
        }
        assert_eq!(engine.run("double", 1).await.unwrap().output::<u32>().await.unwrap(), 2, "the only slot is free");
    });
}

#[test]
fn a_second_start_takes_nothing_from_a_queued_run() {
    on_every_store(|place| async move {
        let scene = Scene::new();
        let engine = place.engine().await.concurrency(1).flow(waiting("waits", &scene)).start().await.unwrap();
        let mut runs = vec![engine.run("waits", 0_u32).await.unwrap()];
        scene.entered.notified().await;
        for n in 1..20_u32 {
            runs.push(engine.run("waits", n).id(&format!("queued-{n}")).await.unwrap());
        }
        let engine = &engine;
        let again =
            |n: u32, input: u32| async move { code(engine.run("waits", input).id(&format!("queued-{n}")).await) };
        for n in 1..20 {
            scene.go.notify_one();
            // While the slot is freed and the queued runs are claimed, their ids are used again.
            let (same, other) = tokio::join!(again(n, n), again(20 - n, 99));
            assert_eq!((same, other), ("started", "already-exists"));
        }
        scene.go.notify_one();
        let going = scene.let_all_pass();
        for (n, run) in (0..).zip(&runs) {
            assert_eq!(run.output::<u32>().await.unwrap(), n);
        }
        going.abort();
    });
}

#[test]
fn an_unknown_flow_is_told_with_the_known() {
    on_every_store(|place| async move {
        let engine = engine(&place).await;
        let error = engine.run("duoble", 1).await.unwrap_err();
        let text = error.to_string();
        assert_eq!(error.code(), "unknown-flow");
        assert!(text.contains("\"duoble\"") && text.contains("\"double\", \"other\""), "{text}");
    });
}

#[test]
fn an_unknown_run_is_told() {
    on_every_store(|place| async move {
        let engine = engine(&place).await;
        assert!(matches!(engine.handle("ghost").await, Err(Error::UnknownRun { id }) if *id == *"ghost"));
        assert_eq!(engine.handle("not valid").await.unwrap_err().code(), "invalid-id");
        assert_eq!(engine.run("double", 1).id("not valid").await.unwrap_err().code(), "invalid-id");
    });
}

#[test]
fn flows_start_by_type_and_by_name() {
    on_every_store(|place| async move {
        let flow = doubling("double");
        let engine = place.engine().await.flow(flow.clone()).start().await.unwrap();
        let typed = engine.start(&flow, 4).await.unwrap();
        assert_eq!(typed.output().await.unwrap(), 8);
        assert_eq!(typed.status().await.unwrap(), RunStatus::Succeeded, "a typed run is a run");
        let named = engine.run("double", 5).await.unwrap();
        assert_eq!(named.output::<u32>().await.unwrap(), 10);
        assert!(typed.id().as_str() < named.id().as_str(), "ids that are generated are ordered by time");
        assert_eq!(named.output::<Vec<u32>>().await.unwrap_err().code(), "data");
        let unregistered = doubling("unregistered");
        assert_eq!(engine.start(&unregistered, 1).await.unwrap_err().code(), "unknown-flow");
    });
}

#[test]
fn a_name_is_taken_once() {
    on_every_store(|place| async move {
        let twice = place.engine().await.flow(doubling("double")).flow(doubling("double")).start().await;
        assert_eq!(twice.unwrap_err().code(), "name-taken");
    });
}

#[test]
fn settings_that_cannot_be_honoured_are_told() {
    on_every_store(|place| async move {
        let none = place.engine().await.lease(999.ms()).start().await.unwrap_err();
        assert_eq!(none.code(), "setting");
        assert!(none.to_string().contains("at least 1"), "{none}");
    });
}

#[test]
fn an_input_that_turns_out_to_be_something_else_fails_clearly() {
    on_every_store(|place| async move {
        let engine = engine(&place).await;
        // A whole number, as the flow takes, and none that its node takes.
        let run = engine.run("double", Bytes::from("-1")).await.unwrap();
        let error = run.output::<u32>().await.unwrap_err();
        assert_eq!(error.code(), "run-failed");
        assert!(error.to_string().contains("double: the value is not a u32"), "{error}");
    });
}

#[test]
fn who_asks_again_for_a_run_joins_it_though_its_flow_takes_something_else_by_now() {
    on_every_store(|place| async move {
        let said = |s: String| async move { ok(format!("{s}{s}")) };
        let of_text = Flow::dag("double", |dag, s: Node<String>| dag.node("double", said, s)).unwrap();
        let engine = place.engine().await.flow(of_text).start().await.unwrap();
        let ask = |text: &'static str, id: &str| engine.run("double", Bytes::from(text)).id(id);
        assert_eq!(ask("\"a\"", "r").await.unwrap().output::<String>().await.unwrap(), "aa");
        engine.replace(doubling("double")).await.unwrap();
        assert_eq!(ask("\"a\"", "r").await.unwrap().output::<String>().await.unwrap(), "aa");
        for (text, id) in [("\"a\"", "another"), ("\"b\"", "r")] {
            assert_eq!(ask(text, id).await.unwrap_err().code(), "input-mismatch", "{text} as {id}");
        }
    });
}

/// An engine on a runtime that ends, without it.
fn orphan() -> Engine {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { Engine::open("memory:").await.unwrap().flow(doubling("double")).start().await.unwrap() })
}

#[tokio::test]
async fn an_engine_whose_runtime_has_ended_says_so() {
    let engine = std::thread::spawn(orphan).join().unwrap();
    let error = engine.run("double", 1_u32).await.unwrap_err();
    assert_eq!(error.code(), "runtime-gone");
    assert!(error.to_string().contains("in tests one for each"), "{error}");
}

#[test]
fn an_engine_without_a_clock_is_refused() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let started = runtime.block_on(async { Engine::open("memory:").await.unwrap().start().await });
    let error = started.unwrap_err();
    assert!(error.to_string().contains("enable_all()"), "{error}");
}

#[test]
fn an_engine_without_a_runtime_is_refused() {
    let mut open = std::pin::pin!(async { Engine::open("memory:").await.unwrap().start().await });
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let std::task::Poll::Ready(started) = open.as_mut().poll(&mut context) else { panic!("it waits") };
    let error = started.unwrap_err();
    assert!(error.to_string().contains("no tokio runtime"), "{error}");
}

/// On one thread, so that all that is told goes out in one turn.
#[tokio::test]
async fn a_batch_holds_one_commit_of_a_scope() {
    let (store, tally) = Watched::over(vastflow::open("memory:").await.unwrap());
    let weak = |_: u32| async { fail::<u32>("again") };
    let flow = Flow::dag("weak", |dag, n: Node<u32>| dag.node("weak", weak, n).retry(1.times().every(60.secs())));
    let engine = Engine::on(store).flow(flow.unwrap()).start().await.unwrap();
    for n in 0..3_u32 {
        let id = format!("r{n}");
        let run = engine.run("weak", n).id(&id).await.unwrap();
        let mut events = run.events();
        while events.next().await.unwrap().unwrap().recorded.event.name() != "AttemptFailed" {}
        let start = |n: u32| engine.run("weak", n).id(&id).into_future();
        let (stopped, same, other) = tokio::join!(run.cancel("me", "enough"), start(n), start(n + 1));
        stopped.unwrap();
        assert_eq!((code(same), code(other)), ("started", "already-exists"));
    }
    assert_eq!(tally.muddles.load(Ordering::SeqCst), 0);
}
