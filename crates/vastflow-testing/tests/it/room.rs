//! Lanes and windows.

use crate::support::{Log, lines, note, ok};
use std::sync::Arc;
use vastflow_core::RunStatus;
use vastflow_sdk::{DurationExt, Flow, Node};
use vastflow_testing::{TestEngine, TestRun};

/// A node that works for a day of the virtual clock, in the lane `gpu`; it notes when it begins and ends.
fn day(log: &Log) -> Flow<u32, u32> {
    let (begin, end) = (Arc::clone(log), Arc::clone(log));
    let began = move |n: u32| {
        note(&begin, format!("{n} begins"));
        async move { ok(n) }
    };
    let ended = move |n: u32| {
        note(&end, format!("{n} ends"));
        async move { ok(n) }
    };
    Flow::dag("day", |dag, n: Node<u32>| {
        dag.node("end", ended, dag.sleep("day", 1.days(), dag.node("begin", began, n).lane("gpu")))
    })
    .unwrap()
}

/// Starts three runs and lets them end; gives the days that this took, and what was noted.
async fn three(log: &Log, engine: &mut TestEngine, flow: &Flow<u32, u32>) -> (u64, Vec<String>) {
    let began = engine.now();
    let runs: Vec<TestRun<u32>> = (0..3).map(|n| engine.start(flow, n).unwrap()).collect();
    engine.run_out().await.unwrap();
    for (n, run) in (0..3).zip(&runs) {
        assert_eq!(engine.output(run).unwrap(), n);
    }
    (engine.now().since(began).as_secs() / 86_400, lines(log))
}

#[tokio::test]
async fn a_window_lets_in_the_first_first_and_the_next_when_one_has_ended() {
    for seed in 0..20 {
        let log = Log::default();
        let flow = day(&log);
        let mut engine = TestEngine::builder().flow(&flow).seed(seed).flow_window("day", 1).build().unwrap();
        let (days, lines) = three(&log, &mut engine, &flow).await;
        let in_turn = ["0 begins", "0 ends", "1 begins", "1 ends", "2 begins", "2 ends"];
        assert_eq!((days, lines), (3, in_turn.map(str::to_owned).to_vec()));
    }
    let log = Log::default();
    let flow = day(&log);
    let mut engine = TestEngine::builder().flow(&flow).window(2).build().unwrap();
    assert_eq!(three(&log, &mut engine, &flow).await.0, 2);
    let mut engine = TestEngine::builder().flow(&flow).flow_window("another", 1).build().unwrap();
    assert_eq!(three(&log, &mut engine, &flow).await.0, 1, "a window of another flow");
}

#[tokio::test]
async fn a_key_window_counts_runs_with_the_same_key() {
    let log = Log::default();
    let flow = day(&log);
    let mut engine = TestEngine::builder().flow(&flow).key_window("day", 1).build().unwrap();
    let ann = ["ann", "ann", "bob"].map(|key| engine.run("day", 1_u32).key(key).start::<u32>().unwrap());
    let free = engine.start(&flow, 2).unwrap();
    engine.run_until_idle().await.unwrap();
    let status = |engine: &TestEngine, run| engine.status(run).unwrap();
    assert_eq!(
        ann.each_ref().map(|run| status(&engine, run)),
        [RunStatus::Running, RunStatus::Queued, RunStatus::Running]
    );
    assert_eq!(status(&engine, &free), RunStatus::Running, "a run without a key does not wait");
    engine.crash().unwrap();
    engine.cancel(&ann[0], "ops", "make room").unwrap();
    engine.run_out().await.unwrap();
    assert_eq!(status(&engine, &ann[1]), RunStatus::Succeeded);
}

#[tokio::test]
async fn a_lane_has_room_for_so_many_calls() {
    // With room for one, the second call begins when the first, which the test lets go on, has ended.
    let (log, go) = (Log::default(), Arc::new(tokio::sync::Notify::new()));
    let handler = {
        let (log, go) = (Arc::clone(&log), Arc::clone(&go));
        move |n: u32| {
            note(&log, format!("{n}"));
            let go = Arc::clone(&go);
            async move {
                go.notified().await;
                ok(n)
            }
        }
    };
    let flow = Flow::dag("gpu", |dag, n: Node<u32>| dag.node("n", handler, n).lane("gpu")).unwrap();
    let mut engine = TestEngine::builder().flow(&flow).waits("n").lane("gpu", 1).build().unwrap();
    let runs = [1, 2].map(|n| engine.start(&flow, n).unwrap());
    for _ in 0..3 {
        engine.run_until_idle().await.unwrap();
    }
    assert_eq!(lines(&log).len(), 1, "one at a time");
    go.notify_one();
    engine.run_until_idle().await.unwrap();
    assert_eq!(lines(&log).len(), 2);
    go.notify_one();
    engine.run_out().await.unwrap();
    assert_eq!(runs.map(|run| engine.output(&run).unwrap()), [1, 2]);
}
