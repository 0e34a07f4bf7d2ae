//! The same seed, the same run.

use crate::support::ok;
use std::collections::BTreeSet;
use vastflow_sdk::{DurationExt, Flow, Node, TimesExt};
use vastflow_testing::{Fault, Golden, TestEngine};

/// Siblings, items, and a thread, whose ends come in any order.
fn flow() -> Flow<u32, u32> {
    let drawn = Flow::dag("many", |dag, n: Node<u32>| {
        let thread = |n: u32| async move { ok(tokio::task::spawn_blocking(move || n).await?) };
        let plain = |n: u32| async move { ok(n) };
        let sides = (dag.node("a", plain, n), dag.node("b", thread, n), dag.node("c", thread, n));
        let list = dag.node("list", |(a, b, c): (u32, u32, u32)| async move { ok(vec![a, b, c]) }, sides);
        let each = dag.for_each("each", list, move |dag, n| dag.node("n", thread, n).retry(2.times().every(1.secs())));
        dag.node("sum", |all: Vec<u32>| async move { ok(all.iter().sum::<u32>()) }, each)
    });
    drawn.unwrap()
}

async fn history(seed: u64) -> String {
    let flow = flow();
    let mut engine = TestEngine::builder().flow(&flow).seed(seed).build().unwrap();
    engine.inject("each[*]/n", Fault::fail("no").times(2));
    let run = engine.start(&flow, 5).unwrap();
    engine.run_to_end(&run).await.unwrap();
    assert_eq!(engine.output(&run).unwrap(), 15);
    Golden::of(&engine.history(&run).unwrap()).to_text()
}

#[tokio::test]
async fn the_same_seed_makes_the_same_history_and_other_seeds_make_others() {
    let mut seen = BTreeSet::new();
    for seed in 0..10 {
        let first = history(seed).await;
        assert_eq!(first, history(seed).await, "seed {seed}");
        seen.insert(first);
    }
    assert!(seen.len() > 5, "only {} different ones", seen.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn threads_make_no_difference() {
    for seed in 0..5 {
        assert_eq!(history(seed).await, history(seed).await, "seed {seed}");
    }
}
