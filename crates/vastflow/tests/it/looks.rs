//! Looking at runs: their events, their view, their summary.

use crate::support::{Scene, fail, ok, on_every_store};
use std::sync::Arc;
use std::time::{Duration, Instant};
use vastflow::prelude::*;
use vastflow::{Event, Events, Flow, RunEvent};

async fn add((a, b): (u32, u32)) -> Result<u32> {
    Ok(a + b)
}

/// Two nodes, the first of which waits for its scene and fails once.
fn flow(scene: &Arc<Scene>) -> Flow<u32, u32> {
    let scene = Arc::clone(scene);
    Flow::dag("look", |dag, n: Node<u32>| {
        let weak = move |ctx: Ctx, n: u32| {
            let scene = Arc::clone(&scene);
            async move {
                if ctx.attempt() == 1 {
                    return fail("not yet");
                }
                scene.pass().await;
                ok(n)
            }
        };
        let weak = dag.node("weak", weak, n).retry(1.times());
        dag.node("add", add, (n, weak))
    })
    .unwrap()
}

async fn all(mut events: Events) -> Vec<RunEvent> {
    let mut all = Vec::new();
    while let Some(event) = events.next().await.unwrap() {
        all.push(event);
    }
    all
}

#[test]
fn events_come_complete_in_order_and_end() {
    on_every_store(|place| async move {
        let scene = Scene::new();
        let engine = place.engine().await.flow(flow(&scene)).start().await.unwrap();
        let run = engine.run("look", 4_u32).await.unwrap();
        let live = tokio::spawn(all(run.events()));
        scene.entered.notified().await;
        let mut half = run.events();
        let first = half.next().await.unwrap().unwrap();
        assert!(matches!(&first.recorded.event, Event::RunStarted(started) if *started.flow == *"look"));
        scene.go.notify_one();
        let live = live.await.unwrap();
        let names: Vec<_> = live.iter().map(|event| event.recorded.event.name()).collect();
        assert_eq!(names, ["RunStarted", "AttemptFailed", "NodeSucceeded", "NodeSucceeded", "RunEnded"]);
        assert!(live.iter().map(|event| event.recorded.seq.0).eq(0..5), "without a gap");
        assert!(live.is_sorted_by_key(|event| event.recorded.at));
        let nodes: Vec<_> = live.iter().map(|event| event.node.as_deref().unwrap_or("")).collect();
        assert_eq!(nodes, ["", "weak", "weak", "add", ""]);
        assert_eq!(all(half).await.len(), 4, "the rest of one that was read from");
        assert_eq!(all(run.events()).await, live, "and of a finished run the same again");
        let lines: Vec<_> = live.iter().map(ToString::to_string).collect();
        assert_eq!((lines[0].as_str(), lines[4].as_str()), ("▸ look started", "● succeeded"));
        assert!(lines[1].starts_with("↻ weak failed, will be tried again: not yet  "), "{lines:?}");
        assert!(lines[3].starts_with("✓ add  "), "{lines:?}");
    });
}

#[test]
fn a_view_shows_the_nodes() {
    on_every_store(|place| async move {
        let scene = Scene::new();
        let engine = place.engine().await.flow(flow(&scene)).start().await.unwrap();
        let run = engine.run("look", 4_u32).id("r-1").await.unwrap();
        scene.entered.notified().await;
        let before = run.view().await.unwrap().to_string();
        assert!(before.starts_with("run r-1 of look: running after "), "{before}");
        assert!(before.contains("▸ weak  retrying") && before.contains("· add   waiting"), "{before}");
        scene.go.notify_one();
        run.wait().await.unwrap();
        let after = run.view().await.unwrap();
        let text = after.to_string();
        assert!(text.starts_with("run r-1 of look: succeeded after "), "{text}");
        assert!(text.contains("✓ weak  succeeded") && text.contains("2 calls"), "{text}");
        assert!(text.contains("✓ add   succeeded"), "{text}");
        assert_eq!(after.nodes[0].calls, 2);
    });
}

#[test]
fn waiting_for_a_finished_run_takes_no_time() {
    on_every_store(|place| async move {
        let flow = Flow::dag("add", |dag, n: Node<u32>| dag.node("add", add, (n, n))).unwrap();
        let engine = place.engine().await.flow(flow).start().await.unwrap();
        engine.run("add", 2_u32).id("a").await.unwrap().wait().await.unwrap();
        // The best of many: a machine that does other things meanwhile says nothing about a run.
        let mut best = Duration::MAX;
        for _ in 0..20 {
            let began = Instant::now();
            let run = engine.handle("a").await.unwrap();
            assert_eq!(run.output::<u32>().await.unwrap(), 4);
            best = best.min(began.elapsed());
        }
        assert!(best < Duration::from_millis(100), "it took {best:?}");
    });
}

#[test]
fn case_60_each_node_can_be_asked_for_its_times_attempts_and_error_after_the_end() {
    on_every_store(|place| async move {
        let step = |n: u32| async move { ok(n + 1) };
        let weak = |ctx: Ctx, n: u32| async move { if ctx.attempt() == 1 { fail("busy") } else { ok(n) } };
        let flow = Flow::dag("four", |dag, n: Node<u32>| {
            let a = dag.node("a", step, n);
            let b = dag.node("b", weak, a).retry(2.times().every(20.ms()));
            let c = dag.node("c", step, b);
            dag.node("d", |_: u32| async { fail::<u32>("no stock") }, c)
        })
        .unwrap();
        let engine = place.engine().await.flow(flow).start().await.unwrap();
        let id = place.id("four");
        engine.run("four", 1_u32).id(&id).await.unwrap().wait().await.unwrap();
        let view = engine.handle(&id).await.unwrap().view().await.unwrap();
        let began: Vec<_> = view.nodes.iter().map(|node| node.began_at.unwrap()).collect();
        let ended: Vec<_> = view.nodes.iter().map(|node| node.ended_at.unwrap()).collect();
        assert_eq!(began[1..], ended[..3], "each begins when the one before it ends");
        let b = view.node("b").unwrap();
        assert!(b.ended_at.unwrap().since(b.began_at.unwrap()) >= Duration::from_millis(20));
        let attempts: Vec<_> = b.attempts.iter().map(|call| (call.number, call.why.as_deref())).collect();
        assert_eq!(attempts, [(1, Some("busy")), (2, None)]);
        assert_eq!(view.node("d").unwrap().said.as_deref(), Some("no stock"));
        let lines = view.timeline().to_string();
        assert!(lines.lines().all(|line| line.chars().count() <= 100) && lines.contains("✗ d │"), "{lines}");
    });
}

#[test]
fn a_view_says_which_calls_nobody_has_begun() {
    on_every_store(|place| async move {
        let scene = place.scene("queued");
        let waits = {
            let scene = Arc::clone(&scene);
            move |n: u32| {
                let scene = Arc::clone(&scene);
                async move {
                    scene.pass().await;
                    ok(n)
                }
            }
        };
        let flow = Flow::dag("queued", |dag, n: Node<u32>| {
            let (a, b) = (dag.node("a", waits.clone(), n), dag.node("b", waits.clone(), n));
            dag.node("add", add, (a, b))
        })
        .unwrap();
        let engine = place.engine().await.flow(flow).concurrency(1).start().await.unwrap();
        let id = place.id("queued");
        let run = engine.run("queued", 1_u32).id(&id).await.unwrap();
        scene.entered.notified().await;
        let words = async |run: &Run| {
            let view = run.view().await.unwrap();
            let mut words: Vec<_> = view.nodes[..2].iter().map(|node| node.status.as_str()).collect();
            words.sort_unstable();
            (words, view.to_string())
        };
        let (seen, text) = words(&run).await;
        assert_eq!(seen, ["ready", "running"], "{text}");
        run.pause("ann", "lunch").await.unwrap();
        let (seen, text) = words(&run).await;
        assert_eq!(seen, ["held", "running"], "{text}");
        run.resume("ann", "back").await.unwrap();
        drop(run);
        engine.shutdown_within(1.ms()).await.unwrap_err();

        let lacking = place.engine().await.start().await.unwrap();
        let run = lacking.handle(&id).await.unwrap();
        let until = Instant::now() + Duration::from_secs(60);
        while words(&run).await.0 != ["no code", "no code"] {
            assert!(Instant::now() < until, "{:?}", words(&run).await);
            tokio::time::sleep(5.ms()).await;
        }
    });
}

#[test]
fn a_scope_can_be_looked_at_by_its_place() {
    on_every_store(|place| async move {
        let odd = |n: u32| async move { if n.is_multiple_of(2) { fail("even") } else { ok(n) } };
        let flow = Flow::dag("items", |dag, all: Node<Vec<u32>>| {
            dag.for_each("each", all, |dag, n| dag.basin("deep", n, |dag, n| dag.node("odd", odd, n).retry(1.times())))
                .finish_all()
        })
        .unwrap();
        let engine = place.engine().await.flow(flow.clone()).start().await.unwrap();
        let run = engine.start(&flow, vec![1, 2, 3]).await.unwrap();
        run.output().await.unwrap_err();
        assert_eq!(run.view().await.unwrap().node("each").unwrap().title(), "each × 3 (1 failed)");
        let inner = run.view_within("each[1]/deep[]").await.unwrap();
        let odd = inner.node("odd").unwrap();
        assert_eq!((odd.calls, odd.said.as_deref()), (2, Some("even")));
        for nowhere in ["each[7]", "other[1]", "each"] {
            let error = run.view_within(nowhere).await.unwrap_err();
            assert_eq!(error.code(), "unknown-place", "{nowhere}: {error}");
        }
    });
}
