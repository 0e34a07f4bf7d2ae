//! The same random steps on a store and on the specification.

use crate::support::Place;
use std::sync::Arc;
use vastflow_testsuite::{Tally, differential};

const SEEDS: u64 = 5;
const STEPS: usize = 250;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_does_what_the_specification_does() {
    eprintln!("{SEEDS} seeds of {STEPS} steps on a PostgreSQL server: half a minute");
    let mut tally = Tally::default();
    for seed in seeds() {
        match differential(Arc::new(Place::fresh()), seed, STEPS).await {
            Ok(more) => tally = tally.plus(more),
            Err(divergence) => panic!("{divergence}"),
        }
    }
    let all = [tally.done, tally.duplicate, tally.conflict, tally.fenced, tally.invalid, tally.claimed, tally.messages];
    assert!(all.iter().all(|count| *count > 10), "{tally:?}");
    assert!(tally.swept > 0 && tally.pruned > 0 && tally.reopened > 0, "{tally:?}");
}

/// The usual ones, or the one in `VASTFLOW_SEED`.
fn seeds() -> Vec<u64> {
    match std::env::var("VASTFLOW_SEED") {
        Ok(seed) => vec![seed.parse().expect("a number in VASTFLOW_SEED")],
        Err(_) => (1..=SEEDS).collect(),
    }
}
