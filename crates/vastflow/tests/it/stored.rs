//! Runs of flows that the store knows, started by programs without their code.

use std::sync::Arc;
use vastflow::prelude::*;
use vastflow::store::{MemoryStore, Store};
use vastflow::{Error, RunStatus};
use vastflow_core::Seq;

fn store() -> Arc<dyn Store> {
    Arc::new(MemoryStore::new())
}

fn adds(name: &str, what: u64, nodes: &[&str]) -> Flow<u64, u64> {
    Flow::dag(name, |dag, n: Node<u64>| {
        nodes.iter().fold(n, |n, node| dag.node(node, move |n: u64| async move { Ok::<_, NodeError>(n + what) }, n))
    })
    .unwrap()
}

async fn desk(store: &Arc<dyn Store>) -> Engine {
    Engine::on(Arc::clone(store)).concurrency(0).start().await.unwrap()
}

#[tokio::test]
async fn who_has_no_code_starts_what_a_worker_has() {
    let store = store();
    let works = Engine::on(Arc::clone(&store)).flow(adds("adds", 1, &["a"])).start().await.unwrap();
    let desk = desk(&store).await;
    let run = desk.run_stored("adds", 1_u64).id("r").label("who", "desk").await.unwrap();
    assert_eq!(run.output::<u64>().await.unwrap(), 2);
    let again = desk.run_stored("adds", 1_u64).id("r").await.unwrap();
    assert_eq!(again.output::<u64>().await.unwrap(), 2, "the same id and input: the same run");
    assert_eq!(works.handle("r").await.unwrap().summary().await.unwrap().started.info.labels.len(), 1);
    assert!(matches!(desk.run("adds", 1_u64).await, Err(Error::UnknownFlow { .. })), "`run` asks for code here");
    let unknown = desk.run_stored("subtracts", 1_u64).await.unwrap_err().to_string();
    assert!(unknown.contains("subtracts") && unknown.contains("\"adds\""), "{unknown}");
}

#[tokio::test]
async fn a_run_without_a_worker_waits_for_one() {
    let store = store();
    store.put_plan(Arc::clone(adds("adds", 1, &["a"]).plan())).await.unwrap();
    let desk = desk(&store).await;
    let run = desk.run_stored("adds", 1_u64).await.unwrap();
    assert_eq!(run.status().await.unwrap(), RunStatus::Running);
    let works = Engine::on(store).flow(adds("adds", 1, &["a"])).start().await.unwrap();
    assert_eq!(run.output::<u64>().await.unwrap(), 2);
    drop(works);
}

#[tokio::test]
async fn of_several_plans_it_is_the_one_that_a_worker_has_or_the_newest_run() {
    let store = store();
    let (old, new) = (adds("adds", 1, &["a"]), adds("adds", 1, &["a", "b"]));
    for flow in [&old, &new] {
        store.put_plan(Arc::clone(flow.plan())).await.unwrap();
    }
    let first = desk(&store).await;
    let unsure = first.plan_of("adds").await.unwrap_err();
    assert_eq!(unsure.code(), "flow-not-served", "{unsure}");
    drop(first);
    for flow in [&old, &new] {
        let works = Engine::on(Arc::clone(&store)).flow(flow.clone()).start().await.unwrap();
        assert_eq!(desk(&store).await.plan_of("adds").await.unwrap(), flow.plan().hash());
        works.run("adds", 1_u64).await.unwrap().wait().await.unwrap();
        works.shutdown().await.unwrap();
    }
    assert_eq!(desk(&store).await.plan_of("adds").await.unwrap(), new.plan().hash(), "that of the newest run");
}

#[tokio::test]
async fn a_desk_without_code_retries_a_run_that_failed() {
    let store = store();
    let boom = |_: u64| async move { Err::<u64, _>(NodeError::fatal("boom")) };
    let flow = Flow::dag("fails", |dag, n: Node<u64>| dag.node("a", boom, n)).unwrap();
    let works = Engine::on(Arc::clone(&store)).flow(flow).start().await.unwrap();
    let desk = desk(&store).await;
    let run = desk.run_stored("fails", 1_u64).id("r").await.unwrap();
    assert_eq!(run.wait().await.unwrap().status, RunStatus::Failed);
    let again = run.retry("ann", "it may work now").await.unwrap();
    assert_eq!(again.id().as_str(), "r.retry1");
    assert_eq!(again.wait().await.unwrap().status, RunStatus::Failed, "a worker did it");
    drop(works);
}

#[tokio::test]
async fn events_are_read_on_from_where_one_was() {
    let engine = Engine::on(store()).flow(adds("adds", 1, &["a", "b"])).start().await.unwrap();
    let run = engine.run("adds", 1_u64).id("r").await.unwrap();
    run.wait().await.unwrap();
    let mut all = Vec::new();
    run.follow(|event| all.push(event)).await.unwrap();
    for read in 0..=all.len() {
        let mut events = run.events().after(Seq(read as u64));
        let mut rest = Vec::new();
        while let Some(event) = events.next().await.unwrap() {
            rest.push(event);
        }
        assert_eq!(rest, all[read..], "with the names of their nodes, and an end");
    }
}
