//! Nodes that are not durable: what follows from them begins before they are recorded, and their events ride along.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::sync::Notify;
use vastflow_sdk::{Flow, Node, Result};
use vastflow_store::{MemoryStore, Store};
use vastflow_testsuite::{Faults, Faulty};
use vastflow_worker::Engine;

async fn pass(n: u32) -> Result<u32> {
    Ok(n + 1)
}

/// How many commits a chain of three takes from its start to its end.
async fn commits_of_a_chain(first_is_durable: bool) -> u64 {
    let store = Arc::new(Faulty::new(Arc::new(MemoryStore::new()), Faults::none()));
    let flow = Flow::dag("chain", |dag, n: Node<'_, u32>| {
        let a = dag.node("a", pass, n).durable(first_is_durable);
        let b = dag.node("b", pass, a);
        dag.node("c", pass, b)
    });
    let engine = Engine::on(Arc::clone(&store) as Arc<dyn Store>).flow(flow.unwrap()).start().await.unwrap();
    let run = engine.run("chain", 1_u32).await.unwrap();
    assert_eq!(run.output::<u32>().await.unwrap(), 4);
    let names: Vec<_> = run.view().await.unwrap().nodes.iter().map(|node| node.status.as_str()).collect();
    assert_eq!(names, ["succeeded"; 3]);
    store.commits()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_not_durable_saves_a_commit() {
    assert_eq!(commits_of_a_chain(true).await, 4);
    assert_eq!(commits_of_a_chain(false).await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_crash_it_runs_again_and_a_durable_one_does_not() {
    for (is_durable, calls) in [(true, 1), (false, 2)] {
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
        let (counted, reached, go_on) = (Arc::new(AtomicU32::new(0)), Arc::new(Notify::new()), Arc::new(Notify::new()));
        let flow = {
            let (counted, reached, go_on) = (Arc::clone(&counted), Arc::clone(&reached), Arc::clone(&go_on));
            Flow::dag("two", move |dag, n: Node<'_, u32>| {
                let count = move |n: u32| {
                    counted.fetch_add(1, Ordering::SeqCst);
                    pass(n)
                };
                let a = dag.node("a", count, n).durable(is_durable);
                let wait = move |n: u32| {
                    let (reached, go_on) = (Arc::clone(&reached), Arc::clone(&go_on));
                    async move {
                        reached.notify_one();
                        go_on.notified().await;
                        pass(n).await
                    }
                };
                dag.node("b", wait, a)
            })
            .unwrap()
        };
        let first = Engine::on(Arc::clone(&store)).flow(flow.clone()).start().await.unwrap();
        let id = first.run("two", 1_u32).await.unwrap().id().to_string();
        reached.notified().await;
        // As if the process had died in b: its worker is given up, and another engine takes its tasks.
        drop(first);
        let far = vastflow_core::Timestamp::from_millis(u64::MAX / 2);
        store.sweep(far, 16).await.unwrap();
        let second = Engine::on(store).flow(flow).start().await.unwrap();
        reached.notified().await;
        // The first engine's call may still wait beside the second's: both go on, whoever waits already and who will.
        go_on.notify_waiters();
        let run = second.handle(&id).await.unwrap();
        go_on.notify_one();
        assert_eq!(run.output::<u32>().await.unwrap(), 3);
        assert_eq!(counted.load(Ordering::SeqCst), calls, "durable: {is_durable}");
    }
}
