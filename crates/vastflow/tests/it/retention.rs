//! Runs that are over go when they are deleted, or not kept any more.

use crate::support::{ok, on_every_store};
use std::time::Duration;
use vastflow::prelude::*;
use vastflow::store::{RunQuery, Store};
use vastflow::{Error, Flow, Retention};

fn flow(name: &str) -> Flow<u32, u32> {
    Flow::dag(name, |dag, n: Node<u32>| dag.node("pass", |n: u32| async move { ok(n) }, n)).unwrap()
}

async fn ids(store: &dyn Store) -> Vec<String> {
    let rows = store.runs(&RunQuery::default()).await.unwrap().rows;
    rows.into_iter().rev().map(|row| row.id.to_string()).collect()
}

async fn until(store: &dyn Store, wanted: &[&str]) {
    let is_so = async {
        while ids(store).await != wanted {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), is_so).await.expect("old runs to go");
}

#[test]
fn a_run_that_is_over_can_be_deleted_and_its_id_used_again() {
    on_every_store(|place| async move {
        let waits = Flow::dag("waits", |dag, n: Node<u32>| dag.wait_signal::<u32, _>("go", n)).unwrap();
        let engine = place.engine().await.flow(flow("pass")).flow(waits).start().await.unwrap();
        let going = engine.run("waits", 1_u32).await.unwrap();
        assert!(matches!(going.delete().await.unwrap_err(), Error::RunNotEnded { .. }));
        for input in 0..3_u32 {
            let run = engine.run("pass", input).id("same").await.unwrap();
            assert_eq!(run.output::<u32>().await.unwrap(), input);
            run.delete().await.unwrap();
            assert!(matches!(run.delete().await.unwrap_err(), Error::UnknownRun { .. }));
            assert!(matches!(engine.handle("same").await.unwrap_err(), Error::UnknownRun { .. }));
        }
        assert_eq!(ids(&**engine.store()).await, [going.id().to_string()]);
    });
}

#[test]
fn old_runs_go_by_number_and_by_age() {
    on_every_store(|place| async move {
        let engine = place.engine().await.flow(flow("a")).flow(flow("b")).start().await.unwrap();
        for id in ["a1", "b1", "a2", "b2", "a3", "b3"] {
            let run = engine.run(&id[..1], 1_u32).id(id).await.unwrap();
            run.output::<u32>().await.unwrap();
        }
        let kept = Retention::newest(1);
        drop(engine.shutdown().await);
        let more = place.engine().await.flow(flow("a")).retain(Retention::days(1)).retain_flow("a", kept);
        let engine = more.start().await.unwrap();
        until(&**engine.store(), &["b1", "b2", "a3", "b3"]).await;
        drop(engine.shutdown().await);
        // A millisecond has passed since they ended.
        let kept = Retention::age(Duration::from_millis(1));
        let more = place.engine().await.retain(kept).retain_flow("b", Retention::days(1).keep(2));
        let engine = more.start().await.unwrap();
        until(&**engine.store(), &["b2", "b3"]).await;
    });
}
