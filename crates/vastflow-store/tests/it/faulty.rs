//! The decorator itself: every fault does what it says, and says that it did.

use std::sync::Arc;
use vastflow_core::RunStatus;
use vastflow_store::{ClaimToken, Commit, Committed, MemoryStore, Store, StoreError};
use vastflow_testsuite::fixture::{self, ALICE, Story, attempt};
use vastflow_testsuite::{Fault, Faults, Faulty, Harness, Phoenix, Probe, law2};

async fn faulty(faults: Faults) -> (Arc<Faulty<MemoryStore>>, Arc<dyn Store>) {
    let faulty = Arc::new(Faulty::new(Arc::new(MemoryStore::new()), faults));
    faulty.put_plan(fixture::plan()).await.unwrap();
    (Arc::clone(&faulty), faulty)
}

#[tokio::test]
async fn a_failure_before_changes_nothing() {
    let (faulty, store) = faulty(Faults::none().at(1, Fault::FailBefore)).await;
    let commit = fixture::start_commit("r");
    assert!(store.commit(commit.clone()).await.is_err_and(|error| error.is_transient()));
    assert!(matches!(store.commit(commit).await, Ok(Committed::Done { .. })));
    assert_eq!((faulty.fired(Fault::FailBefore), faulty.fired(Fault::FailAfter)), (1, 0));
}

#[tokio::test]
async fn a_delayed_answer_comes() {
    let (faulty, store) = faulty(Faults::none().at(1, Fault::Delay)).await;
    assert!(matches!(store.commit(fixture::start_commit("r")).await, Ok(Committed::Done { .. })));
    assert_eq!(faulty.fired(Fault::Delay), 1);
}

#[tokio::test]
async fn dropped_hints_never_come() {
    let (faulty, store) = faulty(Faults::none().drop_hints()).await;
    let mut hints = store.wakeups();
    assert!(matches!(store.commit(fixture::start_commit("r")).await, Ok(Committed::Done { .. })));
    let mut next = std::pin::pin!(hints.next());
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(std::future::Future::poll(next.as_mut(), &mut context).is_pending());
    assert_eq!(faulty.fired(Fault::DropHints), 1);
}

#[tokio::test]
async fn a_batch_dies_at_its_commit() {
    for (faults, begun) in [(Faults::none().stop_before(3), 2), (Faults::none().stop_after(3), 3)] {
        let inner: Arc<dyn Store> = Arc::new(MemoryStore::new());
        inner.put_plan(fixture::plan()).await.unwrap();
        let faulty: Arc<Faulty> = Arc::new(Faulty::new(Arc::clone(&inner), faults));
        let store: Arc<dyn Store> = faulty.clone();
        let batch: Vec<Commit> = (0..5).map(|run| fixture::start_commit(&format!("r{run}"))).collect();
        let answers = Probe::open(Arc::new(Arc::clone(&store))).await.batch(batch).await;
        assert!(answers.iter().all(|(_, answer)| matches!(answer, Err(StoreError::Closed { .. }))));
        assert!(matches!(store.counts().await, Err(StoreError::Closed { .. })), "and nothing else answers");
        assert_eq!((inner.counts().await.unwrap().running, faulty.fired(Fault::Stop)), (begun, 1));
    }
}

/// A run of three nodes by a worker that keeps what it queues, on a store that may die; whether it came to its end.
async fn run_to_its_end(store: Arc<dyn Store>) -> bool {
    let probe = Probe::open(Arc::new(Arc::clone(&store))).await;
    let Ok(()) = store.put_plan(fixture::plan()).await else { return false };
    let Ok(history) = store.history(&fixture::root("r"), vastflow_core::Seq::ZERO, usize::MAX).await else {
        return false;
    };
    let mut story = Story::load(fixture::plan(), "r", &history);
    if story.state.is_empty() && store.commit(story.start()).await.is_err() {
        return false;
    }
    while !story.state.status().is_final() {
        let (task, _) = story.outstanding()[0];
        let held = probe.store().tasks(&story.scope).await.unwrap_or_default();
        let token = match held.first().filter(|held| held.token > ClaimToken(0)) {
            Some(kept) => kept.token,
            None => probe.claim_as(ALICE, fixture::T0, 1).await.tasks[0].token,
        };
        let mut commit = story.settle(task, token);
        commit.queue.iter_mut().for_each(|new| new.keep = true);
        if store.commit(commit).await.is_err() {
            return false;
        }
    }
    true
}

/// How many commits such a run is.
const COMMITS: u64 = 4;

#[tokio::test]
async fn a_run_survives_a_crash_at_every_commit() {
    let places = (1..=COMMITS).flat_map(|at| [Faults::none().stop_before(at), Faults::none().stop_after(at)]);
    for faults in places {
        let phoenix = Phoenix::default();
        let faulty: Arc<Faulty> = Arc::new(Faulty::new(phoenix.open().await, faults.clone()));
        assert!(!run_to_its_end(faulty.clone()).await, "{faults:?} stops it");
        assert_eq!(faulty.fired(Fault::Stop), 1, "{faults:?} fires");
        let store = phoenix.open().await;
        law2(&*store, &[fixture::root("r")]).await.unwrap();
        assert!(run_to_its_end(Arc::clone(&store)).await, "{faults:?}: it goes on");
        let row = store.run(&fixture::run_id("r")).await.unwrap().expect("the run");
        assert_eq!((row.summary.status, row.len.0), (RunStatus::Succeeded, COMMITS + 1), "{faults:?}");
    }
}

#[tokio::test]
async fn law_2_is_told_when_it_is_broken() {
    let phoenix: Arc<dyn Harness> = Arc::new(Phoenix::default());
    let probe = Probe::open(phoenix).await;
    let mut story = probe.begin("r").await;
    law2(probe.store(), std::slice::from_ref(&story.scope)).await.unwrap();
    let mut commit = story.finish(attempt(0, 1));
    commit.queue.clear();
    probe.done(commit).await;
    let told = law2(probe.store(), &[story.scope]).await.unwrap_err();
    assert!(told.contains("law 2"), "{told}");
}
