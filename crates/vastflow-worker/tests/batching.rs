//! Commits of many runs share round trips to the store; the commits of one wait for nobody.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::time::{Duration, Instant};
use vastflow_sdk::{Flow, Node};
use vastflow_store::{MemoryStore, Store};
use vastflow_testsuite::{Chances, Faults, Faulty};
use vastflow_worker::{Engine, Stats};

/// An engine on a store that takes `delay` for each batch, with a flow of three nodes that take up to `most` µs, each
/// another time.
async fn engine(most: u64, delay: Duration) -> Engine {
    let faults = Faults::none().random(1, Chances { delay: 100, ..Chances::default() }).delayed_by(delay);
    let store: Arc<dyn Store> = Arc::new(Faulty::new(Arc::new(MemoryStore::new()), faults));
    let takes = move |n: u64| async move {
        if most > 0 {
            tokio::time::sleep(Duration::from_micros(n.wrapping_mul(7_919) % most)).await;
        }
        Ok::<_, vastflow_sdk::BoxError>(n.wrapping_mul(31) + 7)
    };
    let flow =
        Flow::dag("chain", |dag, n: Node<'_, u64>| dag.node("c", takes, dag.node("b", takes, dag.node("a", takes, n))));
    Engine::on(store).flow(flow.unwrap()).start().await.unwrap()
}

/// Runs so many at once; gives what the engine did, and how long it took.
async fn many(runs: u64, most: u64, delay: Duration) -> (Stats, Duration) {
    let engine = engine(most, delay).await;
    let began = Instant::now();
    let started = (0..runs).map(|n| {
        let engine = engine.clone();
        tokio::spawn(async move { engine.run("chain", n).await?.output::<u64>().await })
    });
    for run in started.collect::<Vec<_>>() {
        run.await.unwrap().unwrap();
    }
    (engine.stats(), began.elapsed())
}

/// How many commits shared a round trip, on average.
fn shared(stats: Stats) -> u64 {
    assert!(stats.commits >= 4_000, "a start and three ends a run: {stats:?}");
    stats.commits / stats.batches
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commits_of_many_runs_share_round_trips() {
    let (stats, _) = many(1_000, 5_000, Duration::from_millis(1)).await;
    assert!(shared(stats) > 8, "{stats:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_store_gets_larger_batches_and_not_more_of_them() {
    // Some three commits are ready each millisecond, so without a limit there would be twenty batches on their way.
    let (stats, _) = many(1_000, 500_000, Duration::from_millis(20)).await;
    assert!(shared(stats) > 8, "{stats:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_single_run_waits_for_nobody() {
    let delay = Duration::from_millis(20);
    let mut best = Duration::MAX;
    // On a machine that is busy besides, a try says nothing; one that succeeds says that it waits for nobody.
    for _ in 0..100 {
        if best < delay * 5 {
            break;
        }
        let (stats, took) = many(1, 0, delay).await;
        assert_eq!((stats.commits, stats.batches), (4, 4));
        best = best.min(took);
    }
    assert!(best < delay * 5, "four round trips, and less than one more: {best:?}");
}
