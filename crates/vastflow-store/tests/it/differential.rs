//! The differential test on stores that must pass it, plain and with faults.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use vastflow_store::{MemoryStore, Store};
use vastflow_testsuite::{Chances, Fault, Faults, Faulty, Harness, Phoenix, Tally, differential};

fn memory() -> Arc<dyn Store> {
    Arc::new(MemoryStore::new())
}

/// Runs many seeds; gives what happened in all of them.
async fn seeds<H: Harness>(count: u64, steps: usize, fresh: impl Fn(u64) -> H) -> Tally {
    let mut all = Tally::default();
    for seed in 0..count {
        match differential(Arc::new(fresh(seed)), seed, steps).await {
            Ok(tally) => all = all.plus(tally),
            Err(divergence) => panic!("{divergence}"),
        }
    }
    all
}

fn assert_not_vacuous(tally: Tally) {
    let Tally { done, duplicate, conflict, fenced, invalid, claimed, messages, swept, unheard, .. } = tally;
    let least = [done, duplicate, conflict, fenced, invalid, claimed, messages, swept, unheard].into_iter().min();
    assert!(least.is_some_and(|least| least >= 100), "{tally:?}");
}

#[tokio::test]
async fn the_memory_store_is_the_specification() {
    assert_not_vacuous(seeds(200, 150, |_| memory()).await);
}

#[tokio::test]
async fn a_store_that_rises_again_is_the_same() {
    let tally = seeds(100, 150, |_| Phoenix::default()).await;
    assert_not_vacuous(tally);
    assert!(tally.reopened >= 100, "{tally:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_faulty_store_converges() {
    let fired = [const { AtomicU64::new(0) }; 3];
    let faults = [Fault::FailBefore, Fault::FailAfter, Fault::Delay];
    let chances = Chances { before: 15, after: 15, delay: 5 };
    let mut all = Tally::default();
    for seed in 0..60 {
        let faulty = Arc::new(Faulty::new(memory(), Faults::none().random(seed, chances)));
        let store: Arc<dyn Store> = Arc::clone(&faulty) as Arc<dyn Store>;
        all = all.plus(differential(Arc::new(store), seed, 150).await.unwrap_or_else(|d| panic!("{d}")));
        for (fault, fired) in faults.iter().zip(&fired) {
            fired.fetch_add(faulty.fired(*fault), Ordering::Relaxed);
        }
    }
    assert_not_vacuous(all);
    let fired = fired.map(AtomicU64::into_inner);
    assert!(fired.iter().all(|count| *count >= 50), "{faults:?} fired {fired:?} times");
    assert_eq!(all.retried, fired[0] + fired[1], "each lost answer was asked for again");
}
