//! Calls that were in hand when the process died, again and again.

use crate::keep::{Place, done};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use vastflow_core::Seq;
use vastflow_sqlite::SqliteStore;
use vastflow_store::{Claim, Store};
use vastflow_testsuite::fixture::{ALICE, Story, after, attempt, plan, root};

/// The runs whose calls are given.
async fn claim(store: &SqliteStore, most: usize, alone: bool) -> Vec<String> {
    let ask = Claim { alone, ..Claim::new(ALICE, most, Duration::from_secs(30), after(1)) };
    let tasks = store.claim(ask).await.unwrap().tasks;
    tasks.iter().map(|claimed| claimed.scope.run().to_string()).collect()
}

/// Of each run, how many processes died with its call in hand, and how many of them with no other.
async fn blamed(store: &SqliteStore) -> BTreeMap<&'static str, (u8, u8)> {
    let mut found = BTreeMap::new();
    for run in ["a", "b", "c"] {
        let task = store.tasks(&root(run)).await.unwrap()[0];
        found.insert(run, (task.deaths, task.crashes));
    }
    found
}

/// A place with three runs, each of which waits for its first call.
async fn three() -> (Place, Arc<SqliteStore>) {
    let place = Place::lazy();
    let store = place.store();
    store.put_plan(plan()).await.unwrap();
    for run in ["a", "b", "c"] {
        done(&*store, Story::new(plan(), run).start()).await;
    }
    (place, store)
}

fn file(place: &Place) -> bool {
    place.files().contains(&"app.db.suspects".to_owned())
}

#[tokio::test]
async fn who_was_in_hand_at_two_deaths_runs_alone_and_each_death_counts_then() {
    let (place, store) = three().await;
    assert_eq!(claim(&store, 3, false).await, ["a", "b", "c"]);
    assert!(!file(&place), "who never died writes nothing");

    let place = place.copy();
    let store = place.store();
    assert_eq!(blamed(&store).await, [("a", (0, 0)), ("b", (0, 0)), ("c", (0, 0))].into(), "nobody knows who it was");
    assert_eq!(claim(&store, 2, false).await, ["a", "b"]);

    let place = place.copy();
    let store = place.store();
    assert_eq!(blamed(&store).await, [("a", (1, 0)), ("b", (1, 0)), ("c", (0, 0))].into());
    assert_eq!(claim(&store, 3, false).await, ["c", "a", "b"]);

    let place = place.copy();
    let store = place.store();
    assert_eq!(blamed(&store).await, [("a", (2, 0)), ("b", (2, 0)), ("c", (1, 0))].into());
    assert_eq!(store.queues().await.unwrap()[0].alone, 2);
    assert_eq!(claim(&store, 3, true).await, ["a"]);

    let place = place.copy();
    let store = place.store();
    assert_eq!(blamed(&store).await, [("a", (3, 1)), ("b", (2, 0)), ("c", (1, 0))].into(), "it was alone");
    assert_eq!(claim(&store, 3, true).await, ["a"]);
    store.close().await.unwrap();

    let store = place.store();
    assert_eq!(blamed(&store).await, [("a", (3, 1)), ("b", (2, 0)), ("c", (1, 0))].into(), "nobody died");
    for run in ["a", "b", "c"] {
        let mut story = Story::load(plan(), run, &store.history(&root(run), Seq::ZERO, 10).await.unwrap());
        for node in 0..3 {
            done(&*store, story.finish(attempt(node, 1))).await;
        }
    }
    store.close().await.unwrap();
    drop((store, place.store()));
    assert!(!file(&place), "what has ended is suspected of nothing");
}

#[tokio::test]
async fn a_file_of_suspects_that_was_cut_or_is_of_others_does_no_harm() {
    let (place, store) = three().await;
    assert_eq!(claim(&store, 3, false).await.len(), 3);
    let place = place.copy();
    drop(place.store());
    let path = place.dir().join("app.db.suspects");
    let line = |scope: &str| {
        format!(
            r#"{{"scope":"{scope}","task":{{"Attempt":{{"node":9,"attempt":1}}}},"deaths":7,"crashes":7,"handed":true}}"#
        )
    };
    std::fs::write(&path, format!("{}\n{}\n\u{0}{{\"scope\":\"a\",\"ta", line("a"), line("nobody"))).unwrap();
    let store = place.store();
    assert_eq!(blamed(&store).await, [("a", (0, 0)), ("b", (0, 0)), ("c", (0, 0))].into());
    assert_eq!(claim(&store, 3, false).await.len(), 3);
}
