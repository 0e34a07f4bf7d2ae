//! Copies to and from files.

use crate::keep::{Place, finish};
use std::sync::Arc;
use std::time::Instant;
use vastflow_store::{Doomed, Keep, MemoryStore, Prune, Store, copy};
use vastflow_testsuite::{CopyTally, copying, steadily};

async fn copies(place: fn() -> Place, seeds: std::ops::Range<u64>, breaks: bool) -> CopyTally {
    let mut tally = CopyTally::default();
    for seed in seeds {
        match copying(Arc::new(place()), Arc::new(place()), seed, breaks).await {
            Ok(one) => tally = tally.plus(one),
            Err(why) => panic!("{why}"),
        }
    }
    tally
}

#[tokio::test]
async fn random_runs_are_copied_from_file_to_file() {
    let tally = copies(Place::new, 2_000..2_020, false).await;
    assert!(tally.inner > 40 && tally.open > 40, "{tally:?}");
}

#[tokio::test]
async fn a_copy_that_broke_off_goes_on_in_a_file_that_was_opened_again() {
    let tally = copies(Place::hasty, 3_000..3_020, true).await;
    assert!(tally.inner > 40 && tally.broken > 5, "{tally:?}");
}

/// Runs that are over, in memory.
async fn finished(runs: usize) -> MemoryStore {
    let store = MemoryStore::new();
    for run in 0..runs {
        finish(&store, &format!("run-{run}")).await;
    }
    store
}

#[tokio::test]
async fn many_finished_runs_are_copied_a_few_at_a_time() {
    const RUNS: usize = 20_000;
    let from = finished(RUNS).await;
    let (first, second) = (Place::hasty(), Place::hasty());
    let (first, second) = (first.store(), second.store());
    for (what, from, to) in [("memory to file", &from as &dyn Store, &*first), ("file to file", &*first, &*second)] {
        let (mut steps, began) = (Vec::new(), Instant::now());
        copy(from, to, |copied| steps.push(copied)).await.unwrap();
        let rate = RUNS as f64 / began.elapsed().as_secs_f64();
        println!("{what}: {rate:.0} runs/s");
        steadily(&steps).unwrap();
        let most = steps.windows(2).map(|two| two[1].runs - two[0].runs).max();
        assert!(most.is_some_and(|most| most <= 512), "it gathers no more than it sends at once: {most:?}");
        assert_eq!(to.counts().await.unwrap(), from.counts().await.unwrap());
    }
    let keep = Keep { newest: Some(10), ..Keep::default() };
    let pruned = second.prune(&Prune { which: Doomed::Old(keep), limit: RUNS }).await.unwrap();
    assert_eq!(pruned.runs, RUNS - 10, "retention works on copies");
}
