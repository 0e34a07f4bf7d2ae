//! Copies from a file to a server.

use crate::support::Place;
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_runs_are_copied_from_sqlite_to_postgres() {
    let mut tally = CopyTally::default();
    for seed in 5_000..5_008 {
        let dir = TempDir::new().unwrap();
        match copying(file(&dir), Arc::new(Place::fresh()), seed, seed % 2 == 0).await {
            Ok(one) => tally = tally.plus(one),
            Err(why) => panic!("{why}"),
        }
    }
    assert!(tally.inner > 10 && tally.open > 10 && tally.broken > 0, "{tally:?}");
}
