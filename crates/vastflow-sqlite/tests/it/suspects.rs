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
    let ask = Claim { alone, watch: true, ..Claim::new(ALICE, most, Duration::from_secs(30), after(1)) };
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

#[tokio::test]
async fn a_process_that_opens_and_closes_in_between_does_not_wipe_the_traces() {
    let (place, store) = three().await;
    assert_eq!(claim(&store, 3, false).await.len(), 3);
    let place = place.copy();
    // A command that looks at the store, and one that cannot open it.
    place.store().close().await.unwrap();
    assert!(file(&place), "it handed nothing out");
    let store = place.store();
    assert_eq!(claim(&store, 1, false).await, ["a"]);
    let place = place.copy();
    let log = place.dir().join("app.db.suspects");
    let text = std::fs::read(&log).unwrap();
    std::fs::remove_file(&log).unwrap();
    std::fs::create_dir(&log).unwrap();
    SqliteStore::open_with(place.path(), place.options).unwrap_err();
    std::fs::remove_dir(&log).unwrap();
    std::fs::write(&log, text).unwrap();
    assert_eq!(blamed(&place.store()).await, [("a", (1, 0)), ("b", (0, 0)), ("c", (0, 0))].into());
}

#[tokio::test]
async fn a_process_that_ends_well_leaves_no_suspects_and_a_power_failure_blames_nobody() {
    let (place, store) = three().await;
    assert_eq!(claim(&store, 3, false).await.len(), 3);
    let place = place.copy();
    let store = place.store();
    assert_eq!(claim(&store, 3, false).await.len(), 3);
    let cut = place.copy();
    store.close().await.unwrap();
    assert!(!file(&place), "all were handed out, and nobody died of it");
    let lock = cut.dir().join("app.db.lock");
    let text = std::fs::read_to_string(&lock).unwrap();
    let other: String =
        text.lines().map(|line| line.split_once("boot ").map_or(line, |_| "boot other").to_owned() + "\n").collect();
    std::fs::write(&lock, other).unwrap();
    assert_eq!(blamed(&cut.store()).await, [("a", (0, 0)), ("b", (0, 0)), ("c", (0, 0))].into());
}
