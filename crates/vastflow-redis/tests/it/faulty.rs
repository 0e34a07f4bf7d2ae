//! The same contract when answers are lost or late, calls fail, and no hint ever comes.

use crate::place::Place;
use async_trait::async_trait;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use vastflow_store::Store;
use vastflow_testsuite::cases::CASES;
use vastflow_testsuite::{Chances, Fault, Faults, Faulty, Harness, Tally, differential, failures};

/// A place whose stores are faulty.
struct Ruin {
    place: Place,
    faults: Faults,
    opened: Mutex<Vec<Arc<Faulty>>>,
}

impl Ruin {
    fn new(faults: Faults) -> Self {
        Ruin { place: Place::new(), faults, opened: Mutex::default() }
    }

    fn fired(&self, fault: Fault) -> u64 {
        self.opened.lock().unwrap().iter().map(|store| store.fired(fault)).sum()
    }
}

#[async_trait]
impl Harness for Ruin {
    async fn open(&self) -> Arc<dyn Store> {
        let store = Arc::new(Faulty::new(self.place.open().await, self.faults.clone()));
        self.opened.lock().unwrap().push(Arc::clone(&store));
        store
    }
}

/// Stores that answer late and never hint.
async fn late() -> Ruin {
    let chances = Chances { delay: 50, ..Chances::default() };
    Ruin::new(Faults::none().random(7, chances).delayed_by(Duration::from_millis(3)).drop_hints())
}

#[test]
fn only_hints_are_missed_when_none_come_and_answers_are_late() {
    // Those that are about hints would wait for one for ten seconds.
    let cases = CASES.iter().filter(|case| !case.name.ends_with("hinted_at"));
    let failed: Vec<_> = failures(cases, late).collect();
    assert!(failed.is_empty(), "{failed:#?}");
}

#[tokio::test]
async fn random_steps_converge_when_calls_fail_and_answers_are_lost() {
    let mut all = Tally::default();
    let mut fired = [0; 3];
    for seed in 0..6 {
        let chances = Chances { before: 8, after: 8, delay: 8 };
        let ruin = Arc::new(Ruin::new(Faults::none().random(seed, chances).drop_hints()));
        match differential(Arc::clone(&ruin) as Arc<dyn Harness>, 1_000 + seed, 250).await {
            Ok(one) => all = all.plus(one),
            Err(divergence) => panic!("{divergence}"),
        }
        let kinds = [Fault::FailBefore, Fault::FailAfter, Fault::Delay];
        fired.iter_mut().zip(kinds).for_each(|(sum, fault)| *sum += ruin.fired(fault));
    }
    assert!(all.done > 300 && all.retried > 50, "{all:?}");
    assert!(fired.iter().all(|count| *count > 10), "{fired:?}");
}
