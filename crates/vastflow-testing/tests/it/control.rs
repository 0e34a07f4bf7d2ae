//! Telling runs things.

use crate::support::{Log, fail, lines, note, ok};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use vastflow_core::RunStatus;
use vastflow_core::event::Choice;
use vastflow_sdk::{Ctx, DurationExt, Flow, Node, OnExhausted};
use vastflow_testing::{Fault, TestEngine};

/// `a → wait a day → b`.
fn chain(log: &Log) -> Flow<u32, u32> {
    let node = |name: &'static str| {
        let log = Arc::clone(log);
        move |n: u32| {
            note(&log, name);
            async move { ok(n + 1) }
        }
    };
    let drawn = Flow::dag("chain", |dag, n: Node<u32>| {
        let a = dag.node("a", node("a"), n);
        dag.node("b", node("b"), dag.sleep("wait", 1.days(), a))
    });
    drawn.unwrap()
}

#[tokio::test]
async fn a_paused_run_stands_still_and_a_resumed_one_goes_on() {
    let log = Log::default();
    let flow = chain(&log);
    let mut engine = TestEngine::new(&flow).unwrap();
    let run = engine.start(&flow, 1).unwrap();
    engine.run_until_idle().await.unwrap();
    engine.pause(&run, "ops", "deploy").unwrap();
    engine.pause(&run, "ops", "again").unwrap();
    engine.advance(9.days()).await.unwrap();
    engine.crash().unwrap();
    engine.advance(9.days()).await.unwrap();
    assert_eq!((engine.status(&run).unwrap(), lines(&log)), (RunStatus::Paused, vec!["a".to_owned()]));
    assert_eq!(engine.run_to_end(&run).await.unwrap_err().code(), "stuck");
    engine.resume(&run, "ops", "done").unwrap();
    engine.run_until_idle().await.unwrap();
    assert_eq!(engine.output(&run).unwrap(), 3);
    assert_eq!(engine.pause(&run, "ops", "late").unwrap_err().code(), "run-ended");
}

#[tokio::test]
async fn a_handler_that_waits_to_be_stopped_lets_the_clock_go_on() {
    let flow = Flow::dag("watch", |dag, n: Node<u32>| {
        let watch = |ctx: Ctx, n: u32| async move {
            ctx.cancelled().await;
            ok(n)
        };
        dag.node("watch", watch, n)
    });
    let flow = flow.unwrap();
    let mut engine = TestEngine::builder().flow(&flow).waits("watch").build().unwrap();
    let run = engine.start(&flow, 1).unwrap();
    engine.advance(1.days()).await.unwrap();
    assert_eq!(engine.status(&run).unwrap(), RunStatus::Running);
    engine.cancel(&run, "ops", "enough").unwrap();
    assert_eq!(engine.run_to_end(&run).await.unwrap(), RunStatus::Stopped);
    let error = engine.output(&run).unwrap_err().to_string();
    assert!(error.contains("stopped by ops: enough"), "{error}");
}

#[tokio::test]
async fn a_call_can_stop_its_run() {
    let log = Log::default();
    let noted = Arc::clone(&log);
    let flow = Flow::dag("stop", |dag, n: Node<u32>| {
        let stop = |ctx: Ctx, n: u32| {
            ctx.cancel_run("no need");
            async move { ok(n) }
        };
        let next = move |n: u32| {
            note(&noted, "next");
            async move { ok(n) }
        };
        dag.node("next", next, dag.node("stop", stop, n))
    });
    let flow = flow.unwrap();
    let mut engine = TestEngine::new(&flow).unwrap();
    let run = engine.start(&flow, 1).unwrap();
    assert_eq!(engine.run_to_end(&run).await.unwrap(), RunStatus::Stopped);
    assert!(lines(&log).is_empty());
}

#[tokio::test]
async fn an_operator_decides_about_a_node_inside_an_item() {
    let broken = Arc::new(AtomicBool::new(true));
    let down = Arc::clone(&broken);
    let flow = Flow::dag("items", |dag, all: Node<Vec<u32>>| {
        dag.for_each("each", all, move |dag, n| {
            let down = Arc::clone(&down);
            let weak = move |n: u32| {
                let down = n == 2 && down.load(Ordering::Relaxed);
                async move { if down { fail("down") } else { ok(n) } }
            };
            dag.node("weak", weak, n).on_exhausted(OnExhausted::Pause)
        })
    });
    let flow = flow.unwrap();
    let mut engine = TestEngine::new(&flow).unwrap();
    let run = engine.start(&flow, vec![1, 2]).unwrap();
    engine.run_out().await.unwrap();
    assert_eq!(engine.status(&run).unwrap(), RunStatus::NeedsAttention);
    assert_eq!(engine.attention(&run).unwrap(), [("each[1]/weak".to_owned(), "down".to_owned())]);
    assert_eq!(engine.resolve(&run, "each[0]/weak", Choice::Retry, "?").unwrap_err().code(), "run-ended");
    assert_eq!(engine.resolve(&run, "each[9]/weak", Choice::Retry, "?").unwrap_err().code(), "unknown-place");
    broken.store(false, Ordering::Relaxed);
    engine.resolve(&run, "each[1]/weak", Choice::Retry, "up again").unwrap();
    engine.run_until_idle().await.unwrap();
    assert_eq!(engine.output(&run).unwrap(), [1, 2]);
}

#[tokio::test]
async fn two_runs_share_a_clock_and_nothing_else() {
    let log = Log::default();
    let flow = chain(&log);
    let mut engine = TestEngine::new(&flow).unwrap();
    let (one, two) = (engine.start(&flow, 1).unwrap(), engine.start(&flow, 2).unwrap());
    engine.inject("a", Fault::fatal("no"));
    engine.run_out().await.unwrap();
    let ends = [engine.status(&one).unwrap(), engine.status(&two).unwrap()];
    assert!(ends == [RunStatus::Failed, RunStatus::Succeeded] || ends == [RunStatus::Succeeded, RunStatus::Failed]);
    assert_eq!(engine.run("chin", 1_u32).start::<u32>().unwrap_err().code(), "unknown-flow");
    assert_eq!(engine.handle::<u32>("run-3").unwrap_err().code(), "unknown-run");
}
