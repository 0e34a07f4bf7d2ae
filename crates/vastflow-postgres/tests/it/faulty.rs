//! The same random steps when answers are lost, late, or errors.

use crate::support::Place;
use async_trait::async_trait;
use std::sync::Arc;
use std::sync::Mutex;
use vastflow_store::Store;
use vastflow_testsuite::{Chances, Fault, Faults, Faulty, Harness, Tally, differential};

/// A place whose store fails on purpose, and does not hint.
struct Shaky {
    place: Place,
    seed: u64,
    opened: Mutex<Vec<Arc<Faulty>>>,
}

#[async_trait]
impl Harness for Shaky {
    async fn open(&self) -> Arc<dyn Store> {
        let chances = Chances { before: 10, after: 15, delay: 20 };
        let faults = Faults::none().random(self.seed, chances).drop_hints();
        let faulty: Arc<Faulty> = Arc::new(Faulty::new(self.place.open().await, faults));
        self.opened.lock().unwrap().push(Arc::clone(&faulty));
        faulty
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_steps_do_the_same_with_faults() {
    eprintln!("three seeds of 150 steps with faults: about 20 s");
    let (mut tally, mut lost) = (Tally::default(), 0);
    for seed in 200..203 {
        let shaky = Arc::new(Shaky { place: Place::fresh(), seed, opened: Mutex::default() });
        match differential(Arc::clone(&shaky) as Arc<dyn Harness>, seed, 150).await {
            Ok(one) => tally = tally.plus(one),
            Err(divergence) => panic!("{divergence}"),
        }
        lost += shaky.opened.lock().unwrap().iter().map(|faulty| faulty.fired(Fault::FailAfter)).sum::<u64>();
    }
    assert!(lost > 10 && tally.retried > 20 && tally.done > 100, "{lost} answers lost, {tally:?}");
}
