//! Each fault does what it says.

use crate::support::{Log, count, fail, lines, note, ok};
use std::sync::Arc;
use vastflow_core::{Event, FailureKind, RunStatus};
use vastflow_sdk::{Ctx, DurationExt, Flow, Node, TimesExt};
use vastflow_testing::{Fault, History, Moment, Place, TestEngine};

/// `a → b`, of which `b` is tried three times and notes what it gets.
fn chain(log: &Log) -> Flow<u32, u32> {
    let node = |name: &'static str| {
        let log = Arc::clone(log);
        move |ctx: Ctx, n: u32| {
            note(&log, name);
            ctx.put(name, n);
            ctx.tmp_put(name, "here");
            async move { ok(n + 1) }
        }
    };
    let drawn = Flow::dag("chain", |dag, n: Node<u32>| {
        let a = dag.node("a", node("a"), n);
        dag.node("b", node("b"), a).retry(2.times().every(1.mins()))
    });
    drawn.unwrap()
}

/// How it ended with a fault in `b`, what handlers were called, and what is recorded.
async fn with(fault: Fault) -> (TestEngine, RunStatus, Vec<String>, History) {
    let log = Log::default();
    let flow = chain(&log);
    let mut engine = TestEngine::new(&flow).unwrap();
    engine.inject("b", fault);
    let run = engine.start(&flow, 1).unwrap();
    let status = engine.run_to_end(&run).await.unwrap();
    let history = engine.history(&run).unwrap();
    assert!(engine.faults_fired() > 0);
    (engine, status, lines(&log), history)
}

fn failures(history: &History) -> Vec<String> {
    let failures = history.events().filter_map(|(_, event)| match event {
        Event::AttemptFailed { failure, .. } | Event::NodeFailed { failure, .. } => Some(failure.to_string()),
        _ => None,
    });
    failures.collect()
}

#[tokio::test]
async fn fail_fails_so_often_and_does_not_call_the_handler() {
    let (engine, status, called, history) = with(Fault::fail("down").times(2)).await;
    assert_eq!((status, called), (RunStatus::Succeeded, vec!["a".to_owned(), "b".to_owned()]));
    assert_eq!((failures(&history), engine.calls("b")), (vec!["down".to_owned(), "down".to_owned()], 3));
    let (engine, status, called, _) = with(Fault::fail("down").always()).await;
    assert_eq!((status, called, engine.calls("b")), (RunStatus::Failed, vec!["a".to_owned()], 3));
}

#[tokio::test]
async fn fatal_is_not_retried_and_a_predicate_is_asked() {
    let (engine, status, _, _) = with(Fault::fatal("no")).await;
    assert_eq!((status, engine.calls("b")), (RunStatus::Failed, 1));
    let flow = Flow::dag("picky", |dag, n: Node<u32>| {
        dag.node("n", |n: u32| async move { ok(n) }, n).retry(5.times()).retry_if(|failure| &*failure.message == "busy")
    });
    let flow = flow.unwrap();
    for (error, calls) in [("busy", 2), ("gone", 1)] {
        let mut engine = TestEngine::new(&flow).unwrap();
        engine.inject("n", Fault::fail(error));
        let run = engine.start(&flow, 1).unwrap();
        engine.run_to_end(&run).await.unwrap();
        assert_eq!(engine.calls("n"), calls, "{error}");
    }
}

#[tokio::test]
async fn panic_is_recorded_as_one() {
    let (_, status, _, history) = with(Fault::panic("oops")).await;
    assert_eq!(status, RunStatus::Succeeded);
    let is_panic =
        |event: &Event| matches!(event, Event::AttemptFailed { failure, .. } if failure.kind == FailureKind::Panic);
    assert!(history.events().any(|(_, event)| is_panic(event)), "{history}");
}

#[tokio::test]
async fn hang_ends_when_the_run_is_stopped_or_killed() {
    for kills in [false, true] {
        let log = Log::default();
        let flow = chain(&log);
        let mut engine = TestEngine::new(&flow).unwrap();
        engine.inject("b", Fault::hang());
        let run = engine.start(&flow, 1).unwrap();
        engine.advance(300.days()).await.unwrap();
        assert_eq!((engine.status(&run).unwrap(), engine.calls("b")), (RunStatus::Running, 1));
        if kills { engine.kill(&run, "ops", "hangs") } else { engine.cancel(&run, "ops", "hangs") }.unwrap();
        assert_eq!(engine.run_to_end(&run).await.unwrap(), RunStatus::Stopped);
        assert_eq!(engine.output(&run).unwrap_err().code(), "run-stopped");
        assert_eq!(lines(&log), ["a"]);
    }
}

#[tokio::test]
async fn slow_takes_virtual_time() {
    let log = Log::default();
    let flow = chain(&log);
    let mut engine = TestEngine::new(&flow).unwrap();
    engine.inject("b", Fault::slow(5.hours()));
    let run = engine.start(&flow, 1).unwrap();
    engine.advance(5.hours() - 1.ms()).await.unwrap();
    assert_eq!((lines(&log), engine.status(&run).unwrap()), (vec!["a".into(), "b".into()], RunStatus::Running));
    engine.advance(1.ms()).await.unwrap();
    assert_eq!(engine.output(&run).unwrap(), 3);
    assert_eq!(engine.view(&run).unwrap().nodes[1].busy, 5.hours());
}

#[tokio::test]
async fn crash_before_calls_the_handler_again_and_crash_after_does_not() {
    let (engine, status, called, history) = with(Fault::crash_before()).await;
    assert_eq!(
        (status, called, engine.crashes()),
        (RunStatus::Succeeded, ["a", "b", "b"].map(str::to_owned).into(), 1)
    );
    assert!(failures(&history).is_empty(), "an attempt that nobody knows of is not a failed one");
    let (engine, status, called, _) = with(Fault::crash_after()).await;
    assert_eq!((status, called, engine.crashes()), (RunStatus::Succeeded, ["a", "b"].map(str::to_owned).into(), 1));
}

#[tokio::test]
async fn twice_calls_the_handler_twice_and_records_one_answer() {
    let (_, status, called, history) = with(Fault::twice()).await;
    assert_eq!((status, called), (RunStatus::Succeeded, ["a", "b", "b"].map(str::to_owned).into()));
    let succeeded = history.events().filter(|(_, event)| matches!(event, Event::NodeSucceeded { .. })).count();
    assert_eq!(succeeded, 2);
}

#[tokio::test]
async fn a_crash_forgets_what_lives_in_the_process_and_nothing_else() {
    let log = Log::default();
    let noted = Arc::clone(&log);
    let flow = Flow::dag("memory", |dag, n: Node<u32>| {
        let first = dag.node(
            "first",
            |ctx: Ctx, n: u32| {
                ctx.put("kept", n);
                ctx.tmp_put("lost", "x");
                async move { ok(n) }
            },
            n,
        );
        let slept = dag.sleep("sleep", 1.days(), first);
        let look = move |ctx: Ctx, n: u32| {
            note(&noted, format!("{:?} {:?}", ctx.find::<u32>("kept").unwrap(), ctx.tmp_get("lost")));
            async move { ok(n) }
        };
        dag.node("look", look, slept)
    });
    let flow = flow.unwrap();
    for crashes in [false, true] {
        let mut engine = TestEngine::new(&flow).unwrap();
        let run = engine.start(&flow, 7).unwrap();
        engine.run_until_idle().await.unwrap();
        if crashes {
            engine.crash().unwrap();
        }
        engine.run_to_end(&run).await.unwrap();
    }
    assert_eq!(lines(&log), ["Some(7) Some(\"x\")", "Some(7) None"]);
}

#[tokio::test]
async fn a_call_under_way_is_lost_in_a_crash_and_made_again() {
    let log = Log::default();
    let flow = chain(&log);
    let mut engine = TestEngine::new(&flow).unwrap();
    engine.inject("b", Fault::hang());
    let run = engine.start(&flow, 1).unwrap();
    engine.run_until_idle().await.unwrap();
    engine.crash().unwrap();
    engine.run_until_idle().await.unwrap();
    assert_eq!((engine.output(&run).unwrap(), engine.calls("b"), count(&log, "b")), (3, 2, 1));
}

#[tokio::test]
async fn a_crash_at_a_start_makes_no_second_run() {
    for moment in [Moment::Before, Moment::After] {
        let log = Log::default();
        let flow = chain(&log);
        let mut engine = TestEngine::new(&flow).unwrap();
        engine.crash_at(1, moment);
        let run = engine.run("chain", 1_u32).id("one").start::<u32>().unwrap();
        let same = engine.run("chain", 1_u32).id("one").start::<u32>().unwrap();
        assert_eq!(engine.run("chain", 2_u32).id("one").start::<u32>().unwrap_err().code(), "already-exists");
        engine.run_to_end(&same).await.unwrap();
        assert_eq!((engine.output(&run).unwrap(), engine.crashes()), (3, 1));
        assert_eq!(lines(&log), ["a", "b"]);
    }
}

#[tokio::test]
async fn faults_reach_hooks_undo_actions_and_items() {
    let log = Log::default();
    let flow = Flow::dag("all", |dag, all: Node<Vec<u32>>| {
        let noted = Arc::clone(&log);
        dag.finally(move |outcome| {
            note(&noted, format!("finally {outcome}"));
            async { ok(()) }
        });
        let noted = Arc::clone(&log);
        let each = dag.for_each("each", all, move |dag, n| {
            let noted = Arc::clone(&noted);
            dag.node("book", |n: u32| async move { ok(n) }, n).undo(move |n: Option<u32>| {
                note(&noted, format!("undo {n:?}"));
                async { ok(()) }
            })
        });
        dag.node("sum", |all: Vec<u32>| async move { if all.len() > 1 { fail("too many") } else { ok(0_u32) } }, each)
    });
    let flow = flow.unwrap();
    let mut engine = TestEngine::new(&flow).unwrap();
    engine.inject(Place::undo("each[*]/book"), Fault::twice().always());
    engine.inject(Place::finally(), Fault::crash_before());
    engine.inject("each[1]/book", Fault::crash_after());
    let run = engine.start(&flow, vec![7, 8]).unwrap();
    assert_eq!(engine.run_to_end(&run).await.unwrap(), RunStatus::Failed);
    assert_eq!((count(&log, "undo Some(7)"), count(&log, "undo Some(8)")), (2, 2), "{:?}", lines(&log));
    assert_eq!((engine.calls(Place::finally()), engine.crashes()), (2, 2));
}

#[tokio::test]
async fn a_node_that_is_not_durable_runs_again_when_nothing_that_follows_is_recorded() {
    let flow = |durable: bool| {
        let drawn = Flow::dag("rides", |dag, n: Node<u32>| {
            let a = dag.node("a", |n: u32| async move { ok(n + 1) }, n).durable(durable);
            let b = dag.node("b", |n: u32| async move { ok(n + 1) }, a).durable(durable);
            dag.node("c", |n: u32| async move { ok(n + 1) }, b)
        });
        drawn.unwrap()
    };
    for (durable, expected) in [(true, [1, 1, 2]), (false, [2, 2, 2])] {
        let flow = flow(durable);
        let ran = async |seed: u64| {
            let mut engine = TestEngine::builder().flow(&flow).seed(seed).build().unwrap();
            engine.inject("c", Fault::crash_before());
            let run = engine.start(&flow, 1).unwrap();
            engine.run_to_end(&run).await.unwrap();
            assert_eq!(engine.output(&run).unwrap(), 4);
            ["a", "b", "c"].map(|node| engine.calls(node))
        };
        let mut seen = Vec::new();
        for seed in 0..20 {
            seen.push(ran(seed).await);
        }
        assert!(seen.contains(&expected), "{seen:?}");
        assert!(durable || seen.contains(&[1, 1, 2]), "not every engine has slots: {seen:?}");
    }
}

#[tokio::test]
async fn a_retry_does_not_wait_for_what_rides() {
    let flow = Flow::dag("riders", |dag, n: Node<u32>| {
        let quick = dag.node("quick", |n: u32| async move { ok(n) }, n).durable(false);
        let long = dag.node("long", |n: u32| async move { ok(n) }, quick);
        let weak = dag.node("weak", |n: u32| async move { ok(n) }, n).retry(1.times().every(1.mins()));
        dag.node("sum", |(a, b): (u32, u32)| async move { ok(a + b) }, (long, weak))
    });
    let flow = flow.unwrap();
    for seed in 0..20 {
        let mut engine = TestEngine::builder().flow(&flow).seed(seed).build().unwrap();
        engine.inject("long", Fault::slow(9.hours()));
        engine.inject("weak", Fault::fail("not yet"));
        let run = engine.start(&flow, 1).unwrap();
        engine.advance(1.mins()).await.unwrap();
        assert_eq!(engine.calls("weak"), 2, "seed {seed}");
        engine.run_to_end(&run).await.unwrap();
        assert_eq!(engine.output(&run).unwrap(), 2);
    }
}
