//! Copies of stores in memory.

use std::sync::Arc;
use vastflow_store::{MemoryStore, Store};
use vastflow_testsuite::{CopyTally, Harness, Phoenix, copying};

fn memory() -> Arc<dyn Harness> {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    Arc::new(store)
}

#[tokio::test]
async fn random_runs_are_copied_and_end_as_they_would_have() {
    let mut tally = CopyTally::default();
    for seed in 0..300 {
        match copying(memory(), memory(), seed, false).await {
            Ok(one) => tally = tally.plus(one),
            Err(why) => panic!("{why}"),
        }
    }
    assert!(tally.inner > 200 && tally.open > 200 && tally.words > 20 && tally.marked > 2, "{tally:?}");
    assert!(tally.succeeded > 30, "{tally:?}");
}

#[tokio::test]
async fn a_copy_that_broke_off_goes_on_from_there() {
    let mut tally = CopyTally::default();
    for seed in 10_000..10_300 {
        match copying(memory(), Arc::new(Phoenix::default()), seed, true).await {
            Ok(one) => tally = tally.plus(one),
            Err(why) => panic!("{why}"),
        }
    }
    assert!(tally.broken > 30 && tally.inner > 200 && tally.words > 20, "{tally:?}");
}
