//! Copies from a file to a server.

use crate::place::Place;
use std::sync::Arc;
use tempfile::TempDir;
use vastflow_sqlite::SqliteStore;
use vastflow_store::Store;
use vastflow_testsuite::{CopyTally, Harness, copying};

/// A file that is opened once.
fn file(dir: &TempDir) -> Arc<dyn Harness> {
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(dir.path().join("app.db")).unwrap());
    Arc::new(store)
}

#[tokio::test]
async fn random_runs_are_copied_from_sqlite_to_redis() {
    let mut tally = CopyTally::default();
    for seed in 4_000..4_024 {
        let dir = TempDir::new().unwrap();
        match copying(file(&dir), Arc::new(Place::new()), seed, seed % 2 == 0).await {
            Ok(one) => tally = tally.plus(one),
            Err(why) => panic!("{why}"),
        }
    }
    assert!(tally.inner > 40 && tally.open > 40 && tally.broken > 3, "{tally:?}");
}
