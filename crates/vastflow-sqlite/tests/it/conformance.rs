//! The contract of every store.

use crate::keep::Place;
use std::sync::Arc;
use vastflow_testsuite::{Tally, differential};

async fn place() -> Place {
    Place::new()
}

async fn hasty() -> Place {
    Place::hasty()
}

mod usual {
    vastflow_testsuite::conformance!(crate::conformance::place);
}

mod finished_runs_leave_memory_at_once {
    vastflow_testsuite::conformance!(crate::conformance::hasty);
}

async fn seeds(place: fn() -> Place, seeds: std::ops::Range<u64>) -> Tally {
    let mut tally = Tally::default();
    for seed in seeds {
        match differential(Arc::new(place()), seed, 300).await {
            Ok(one) => tally = tally.plus(one),
            Err(divergence) => panic!("{divergence}"),
        }
    }
    tally
}

#[tokio::test]
async fn random_steps_do_what_the_specification_says() {
    let tally = seeds(Place::new, 0..12).await;
    assert!(tally.done > 500 && tally.reopened > 5 && tally.pruned > 5, "{tally:?}");
}

#[tokio::test]
async fn random_steps_do_the_same_when_finished_runs_leave_memory_at_once() {
    let tally = seeds(Place::hasty, 100..112).await;
    assert!(tally.done > 500 && tally.reopened > 5 && tally.pruned > 5, "{tally:?}");
}
