//! Width: ten thousand siblings that join, in few appends; and drawings that must not take long.

use crate::support::{e, ok, on_every_store, recorded};
use crate::watched::Watched;
use std::sync::atomic::Ordering;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};
use vastflow::prelude::*;
use vastflow::store::Store;
use vastflow::{Dag, Event, Flow};

const SIBLINGS: usize = 10_000;

fn siblings() -> Flow<u32, u64> {
    async fn one(n: u32) -> Result<u64> {
        ok(u64::from(n))
    }
    async fn sum(all: Vec<u64>) -> Result<u64> {
        ok(all.into_iter().sum())
    }
    Flow::dag("siblings", |dag: &Dag, n: Node<u32>| {
        let all: Vec<_> = (0..SIBLINGS).map(|at| dag.node(&format!("n{at}"), one, n)).collect();
        dag.node("sum", sum, all)
    })
    .unwrap()
}

/// Joins the siblings with so many engines on one store; gives the number of appends.
async fn join(store: Arc<dyn Store>, engines: usize) -> usize {
    let (store, tally) = Watched::over(store);
    let flow = siblings();
    let mut all = Vec::new();
    for _ in 0..engines {
        all.push(Engine::on(Arc::clone(&store)).flow(flow.clone()).start().await.unwrap());
    }
    let run = all[0].run("siblings", 2_u32).id("wide").await.unwrap();
    assert_eq!(run.output::<u64>().await.unwrap(), 2 * SIBLINGS as u64);
    let done = recorded(&store, "wide", |event| matches!(event, Event::NodeSucceeded { .. })).await;
    assert_eq!(done, SIBLINGS + 1, "each once");
    tally.appends.load(Ordering::SeqCst)
}

#[test]
fn ten_thousand_siblings_join_in_a_thousand_appends() {
    on_every_store(|place| async move {
        let appends = join(place.open().await, 1).await;
        assert!(appends <= 1_000, "{appends} appends");
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn and_so_they_do_with_four_engines() {
    let appends = join(vastflow::open("memory:").await.unwrap(), 4).await;
    assert!(appends <= 1_000, "{appends} appends");
}

/// How long this thread has had a processor, where the system tells it; else how much time has passed.
fn spent() -> Duration {
    static BEGIN: LazyLock<Instant> = LazyLock::new(Instant::now);
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanos = told.and_then(|told| told.split(' ').next()?.parse().ok());
    nanos.map_or_else(|| BEGIN.elapsed(), Duration::from_nanos)
}

#[test]
fn forty_diamonds_are_planned_at_once() {
    let plan = |_| {
        let began = spent();
        let mut graph = Graph::new("diamonds");
        graph.node("top-0", e("top"));
        for n in 0..40 {
            let [top, left, right, next] =
                [format!("top-{n}"), format!("left-{n}"), format!("right-{n}"), format!("top-{}", n + 1)];
            graph.node(&left, e("left")).node(&right, e("right")).node(&next, e("top"));
            graph.edge(&top, &left).edge(&top, &right).edge(&left, &next).edge(&right, &next);
        }
        assert_eq!(graph.build().unwrap().plan().len(), 121);
        spent().saturating_sub(began)
    };
    // The best of many: a machine that does other things meanwhile says nothing about a plan.
    let took = (0..20).map(plan).min().unwrap();
    assert!(took < Duration::from_millis(50), "it took {took:?}");
}

/// Nobody has spoken to an item's scope before: its claim says so, and its journal is not asked for.
#[test]
fn the_journals_of_new_items_are_not_asked_for() {
    on_every_store(|place| async move {
        const ITEMS: u32 = 200;
        let flow = Flow::dag("list", |dag, upto: Node<u32>| {
            let items = dag.node("items", |upto: u32| async move { ok((0..upto).collect::<Vec<u32>>()) }, upto);
            dag.for_each("each", items, |dag, n| dag.node("same", |n: u32| async move { ok(n) }, n))
        });
        let (store, tally) = Watched::over(place.open().await);
        let engine = Engine::on(store).flow(flow.unwrap()).start().await.unwrap();
        let run = engine.run("list", ITEMS).await.unwrap();
        assert_eq!(run.output::<Vec<u32>>().await.unwrap().len(), ITEMS as usize);
        let asked = tally.inner_histories.load(Ordering::SeqCst);
        assert!(asked < ITEMS as usize / 2, "{asked} journals of {ITEMS} items");
    });
}

/// More than any window, batch or page holds at once.
#[test]
fn a_list_has_thousands_of_results() {
    on_every_store(|place| async move {
        const ITEMS: u32 = 3_000;
        let flow = Flow::dag("list", |dag, upto: Node<u32>| {
            let items = dag.node("items", |upto: u32| async move { ok((0..upto).collect::<Vec<u32>>()) }, upto);
            dag.for_each("each", items, |dag, n| dag.node("double", |n: u32| async move { ok(2 * n) }, n))
        });
        let engine = place.engine().await.flow(flow.unwrap()).start().await.unwrap();
        let results: Vec<u32> = engine.run("list", ITEMS).await.unwrap().output().await.unwrap();
        assert_eq!(results, (0..ITEMS).map(|n| 2 * n).collect::<Vec<_>>());
    });
}
