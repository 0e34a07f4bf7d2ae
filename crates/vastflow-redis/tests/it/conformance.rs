//! The contract of every store.

use crate::place::Place;
use std::sync::Arc;
use vastflow_testsuite::{Tally, differential};

async fn place() -> Place {
    Place::new()
}

mod usual {
    vastflow_testsuite::conformance!(crate::conformance::place);
}

#[tokio::test]
async fn random_steps_do_what_the_specification_says() {
    let mut tally = Tally::default();
    for seed in 0..12 {
        match differential(Arc::new(Place::new()), seed, 300).await {
            Ok(one) => tally = tally.plus(one),
            Err(divergence) => panic!("{divergence}"),
        }
    }
    assert!(tally.done > 500 && tally.reopened > 5 && tally.pruned > 5, "{tally:?}");
}
