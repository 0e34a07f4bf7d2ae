//! Going on from runs that are over.

use crate::support::{fail, ok};
use vastflow_core::RunStatus;
use vastflow_sdk::{Flow, Node};
use vastflow_testing::{Fault, TestEngine};
use vastflow_worker::Fork;

/// `a → b → c`, each adding one; `b` refuses 100.
fn chain() -> Flow<u32, u32> {
    let add = |n: u32| async move { ok(n + 1) };
    let picky = |n: u32| async move { if n == 100 { fail("not 100") } else { ok(n + 1) } };
    Flow::dag("chain", |dag, n: Node<u32>| dag.node("c", add, dag.node("b", picky, dag.node("a", add, n)))).unwrap()
}

#[tokio::test]
async fn a_retry_keeps_what_went_well_and_is_made_once() {
    let flow = chain();
    let mut engine = TestEngine::new(&flow).unwrap();
    engine.inject("b", Fault::fail("no power"));
    let run = engine.start(&flow, 1).unwrap();
    assert_eq!(engine.retry(&run, "ops", "too soon").unwrap_err().code(), "run-not-ended");
    assert_eq!(engine.run_to_end(&run).await.unwrap(), RunStatus::Failed);
    let again = engine.retry(&run, "ops", "power is back").unwrap();
    assert_eq!(again.id().as_str(), "run-1.retry1");
    assert_eq!(engine.retry(&run, "ops", "asked twice").unwrap().id(), again.id());
    engine.crash().unwrap();
    engine.run_to_end(&again).await.unwrap();
    assert_eq!(engine.output(&again).unwrap(), 4);
    assert_eq!([engine.calls("a"), engine.calls("b"), engine.calls("c")], [1, 2, 1]);
    assert_eq!(engine.retry(&again, "ops", "for nothing").unwrap_err().code(), "run-ended");
}

#[tokio::test]
async fn a_rerun_does_all_again_and_a_fork_what_follows_from_a_node() {
    let flow = chain();
    let mut engine = TestEngine::new(&flow).unwrap();
    let run = engine.start(&flow, 1).unwrap();
    engine.run_to_end(&run).await.unwrap();
    let rerun = engine.rerun(&run, "ops", "once more").unwrap();
    engine.run_to_end(&rerun).await.unwrap();
    assert_eq!((engine.output(&rerun).unwrap(), engine.calls("a")), (4, 2));

    let fork = engine.fork(&run, Fork::at("b").input(&50_u32), "ops", "what if").unwrap();
    assert_eq!((engine.run_to_end(&fork).await.unwrap(), engine.output(&fork).unwrap()), (RunStatus::Succeeded, 52));
    assert_eq!((engine.calls("a"), engine.calls("b")), (2, 3));
    let given = engine.fork(&run, Fork::at("b").output(&7_u32).id("given"), "ops", "by hand").unwrap();
    engine.run_to_end(&given).await.unwrap();
    assert_eq!((given.id().as_str(), engine.output(&given).unwrap(), engine.calls("b")), ("given", 8, 3));
    let nowhere = engine.fork(&run, Fork::at("nowhere"), "ops", "a slip").unwrap_err();
    assert_eq!(nowhere.code(), "unknown-place");
}
