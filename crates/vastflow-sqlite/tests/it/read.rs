//! Looking into a store that is open elsewhere.

use crate::keep::{Place, done, finish};
use vastflow_core::{RunStatus, ScopeId, Seq};
use vastflow_sqlite::SqliteReader;
use vastflow_store::{RunQuery, Store};
use vastflow_testsuite::fixture::{Story, attempt, plan, root, run_id};

/// Waits until the tables have caught up.
async fn caught_up(reader: &SqliteReader, store: &dyn Store) {
    let all = RunQuery::default();
    for _ in 0..20_000 {
        if reader.runs(&all).await.unwrap() == store.runs(&all).await.unwrap() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    panic!("the tables did not catch up");
}

#[tokio::test]
async fn a_reader_sees_what_the_store_has() {
    let place = Place::hasty();
    let store = place.store();
    finish(&*store, "order-1").await;
    done(&*store, Story::new(plan(), "order-2").start()).await;
    let mut third = Story::new(plan(), "order-3");
    done(&*store, third.start()).await;
    done(&*store, third.finish(attempt(0, 1))).await;

    let reader = SqliteReader::open(place.path()).unwrap();
    caught_up(&reader, &*store).await;
    assert_eq!(reader.counts().await.unwrap(), store.counts().await.unwrap());
    assert_eq!(reader.plans().await.unwrap(), store.plans().await.unwrap());
    for status in [None, Some(RunStatus::Running), Some(RunStatus::Succeeded), Some(RunStatus::Failed)] {
        let query = RunQuery { status, limit: 1, ..RunQuery::default() };
        let (ours, theirs) = (reader.runs(&query).await.unwrap(), store.runs(&query).await.unwrap());
        assert_eq!(ours, theirs, "{status:?}");
    }
    let run = reader.run(&run_id("order-1")).await.unwrap();
    assert_eq!(run, store.run(&run_id("order-1")).await.unwrap());
    let scope: ScopeId = root("order-1");
    let history = reader.history(&scope, Seq::ZERO, usize::MAX).await.unwrap();
    assert_eq!(history, store.history(&scope, Seq::ZERO, usize::MAX).await.unwrap());
}

#[tokio::test]
async fn a_reader_changes_nothing_and_says_who_has_the_store() {
    let place = Place::hasty();
    let store = place.store();
    let reader = SqliteReader::open(place.path()).unwrap();
    let refused = (&reader as &dyn Store).commit(Story::new(plan(), "r").start()).await.unwrap_err();
    assert_eq!(refused.code(), "store-refused");
    assert!(refused.to_string().contains(&format!("process {}", std::process::id())), "{refused}");
    assert_eq!(reader.queues().await.unwrap_err().code(), "store-unsupported");
    assert_eq!(store.counts().await.unwrap().unfinished(), 0);
    assert!(reader.holder().is_some());
}

#[tokio::test]
async fn the_tables_have_all_there_is_when_the_store_was_closed() {
    let place = Place::new();
    let store = place.store();
    finish(&*store, "r").await;
    let reader = SqliteReader::open(place.path()).unwrap();
    assert!(!reader.is_whole(), "somebody has it open");
    store.close().await.unwrap();
    drop(store);
    assert!(reader.is_whole() && reader.holder().is_none());
    assert_eq!(reader.counts().await.unwrap().succeeded, 1);
}

#[tokio::test]
async fn what_is_no_store_is_not_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("other.db");
    assert!(SqliteReader::open(&path).is_err());
    assert!(!path.exists());
    std::fs::write(&path, "a letter, which is no database, and long enough to be sure of that ".repeat(20)).unwrap();
    let refused = SqliteReader::open(&path).unwrap_err();
    assert!(refused.to_string().contains("not a SQLite database"), "{refused}");
}
