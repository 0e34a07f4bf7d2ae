//! Workers: who is alive, and what becomes of the tasks of those who are not.

use crate::fixture::{self, ALICE, BOB, LEASE, Story, T0, after, attempt};
use crate::probe::{ALL, Probe};
use std::time::Duration;
use vastflow_core::Timestamp;
use vastflow_store::{ClaimToken, Claimed, Swept, WorkerId};

async fn working(probe: &Probe, width: usize) -> (Story, Vec<Claimed>) {
    let story = probe.begin_with(Story::new(fixture::wide(width), "r")).await;
    (story, probe.claim(ALL).await)
}

const fn swept(workers: usize, tasks: usize) -> Swept {
    Swept { workers, tasks }
}

/// A worker is given up when its lease is over, and not a millisecond before.
pub async fn a_lease_is_kept_to_its_end(probe: Probe) {
    let (_, tasks) = working(&probe, 3).await;
    let end = T0.plus(LEASE);
    assert_eq!(probe.sweep(Timestamp::from_millis(end.millis() - 1)).await, swept(0, 0));
    assert!(probe.claim_as(BOB, after(10), ALL).await.tasks.is_empty());
    assert_eq!(probe.sweep(end).await, swept(1, 3), "sweep tells what it found");
    let again = probe.claim_as(BOB, end, ALL).await.tasks;
    assert_eq!(again.len(), tasks.len());
    assert!(again.iter().all(|claimed| claimed.token == ClaimToken(2)), "{again:#?}");
}

/// A heartbeat in time extends all of a worker's leases, old and new.
pub async fn a_heartbeat_extends_the_lease(probe: Probe) {
    let (mut story, tasks) = working(&probe, 2).await;
    for beat in 1..6 {
        assert!(!probe.beat(ALICE, after(beat * 10)).await.was_lost);
        assert_eq!(probe.sweep(after(beat * 10 + 9)).await, swept(0, 0));
    }
    probe.done(story.answer(&tasks[0])).await;
    assert_eq!(probe.sweep(after(80)).await, swept(1, 1));
}

/// A claim is a sign of life as well.
pub async fn a_claim_extends_the_lease(probe: Probe) {
    working(&probe, 2).await;
    probe.claim_at(after(10), 0).await;
    assert_eq!(probe.sweep(after(20)).await, swept(0, 0));
    assert_eq!(probe.sweep(after(25)).await, swept(1, 2));
}

/// A worker that was given up is told, once; a worker that lives is not.
pub async fn a_worker_that_was_given_up_is_told(probe: Probe) {
    working(&probe, 1).await;
    assert!(!probe.beat(ALICE, after(1)).await.was_lost);
    probe.sweep(after(60)).await;
    assert!(probe.beat(ALICE, after(61)).await.was_lost);
    assert!(!probe.beat(ALICE, after(62)).await.was_lost);
}

/// A worker is told whether others live, until they were given up.
pub async fn a_worker_knows_whether_it_is_alone(probe: Probe) {
    assert!(!probe.beat(ALICE, T0).await.has_others);
    assert!(probe.beat(BOB, after(1)).await.has_others);
    assert!(probe.beat(ALICE, after(15)).await.has_others);
    assert_eq!(probe.sweep(after(20)).await, swept(1, 0));
    assert!(!probe.beat(ALICE, after(21)).await.has_others);
}

/// A late heartbeat that comes before the sweep saves the worker.
pub async fn a_late_heartbeat_before_the_sweep_counts(probe: Probe) {
    let (mut story, tasks) = working(&probe, 1).await;
    assert!(!probe.beat(ALICE, after(50)).await.was_lost);
    assert_eq!(probe.sweep(after(51)).await, swept(0, 0));
    probe.done(story.answer(&tasks[0])).await;
}

/// Only the dead worker's tasks become claimable.
pub async fn only_the_dead_lose_their_tasks(probe: Probe) {
    let story = probe.begin_with(Story::new(fixture::wide(4), "r")).await;
    let mine = probe.claim(2).await;
    let theirs = probe.claim_as(BOB, after(10), 2).await.tasks;
    assert_eq!(probe.sweep(after(20)).await, swept(1, 2));
    for claimed in &theirs {
        assert_eq!(probe.task(&story.scope, claimed.task).await.unwrap().by, Some(BOB));
    }
    for claimed in &mine {
        assert_eq!(probe.task(&story.scope, claimed.task).await.unwrap().by, None);
    }
}

/// Whoever was given up may come back and work.
pub async fn the_dead_may_come_back(probe: Probe) {
    let (mut story, _) = working(&probe, 1).await;
    probe.sweep(after(60)).await;
    let again = probe.claim_at(after(61), ALL).await.tasks;
    assert_eq!(again[0].token, ClaimToken(2));
    assert_eq!(probe.sweep(after(62)).await, swept(0, 0));
    probe.done(story.answer(&again[0])).await;
}

/// Sweeping again finds nothing; sweeping an empty store finds nothing.
pub async fn sweeping_twice_finds_nothing(probe: Probe) {
    assert_eq!(probe.sweep(after(1)).await, swept(0, 0));
    working(&probe, 2).await;
    assert_eq!(probe.sweep(after(60)).await, swept(1, 2));
    assert_eq!(probe.sweep(after(60)).await, swept(0, 0));
}

/// A sweep gives up at most as many workers as it may; further sweeps do the rest.
pub async fn a_sweep_keeps_to_its_limit(probe: Probe) {
    probe.begin_with(Story::new(fixture::wide(6), "r")).await;
    for worker in 0..6 {
        probe.claim_as(WorkerId(100 + worker), T0, 1).await;
    }
    let mut all = swept(0, 0);
    for limit in [0, 4, 4, 4] {
        let found = probe.store().sweep(after(60), limit).await.unwrap();
        assert!(found.workers <= limit && found.tasks == found.workers, "{found:?} of at most {limit}");
        all = swept(all.workers + found.workers, all.tasks + found.tasks);
    }
    assert_eq!(all, swept(6, 6));
}

/// Giving back spends nothing: the same attempt is handed out again, visible at once.
pub async fn giving_back_spends_nothing(probe: Probe) {
    let (story, tasks) = working(&probe, 2).await;
    probe.release(&tasks).await;
    let mut again = probe.claim_as(BOB, T0, ALL).await.tasks;
    again.sort_unstable_by_key(|claimed| claimed.task);
    assert_eq!(again.iter().map(|claimed| claimed.task).collect::<Vec<_>>(), [attempt(0, 1), attempt(1, 1)]);
    assert_eq!(probe.history(&story.scope).await.len(), 1, "nothing is recorded of it");
}

/// A lease that is not current is passed over by a release.
pub async fn a_stale_release_changes_nothing(probe: Probe) {
    let (mut story, tasks) = working(&probe, 2).await;
    probe.release(&tasks[..1]).await;
    let theirs = probe.claim_as(BOB, T0, ALL).await.tasks;
    probe.release(&tasks[..1]).await;
    let mut wrong = tasks[1].clone();
    wrong.token = ClaimToken(9);
    let mut nowhere = tasks[1].clone();
    nowhere.scope = fixture::root("nowhere");
    probe.release(&[wrong, nowhere]).await;
    assert!(probe.claim_at(T0, ALL).await.tasks.is_empty());
    probe.done(story.answer(&theirs[0])).await;
    probe.done(story.answer(&tasks[1])).await;
}

/// What was swept with the dead worker's tasks of several runs is all there again.
pub async fn a_sweep_covers_all_runs_and_scopes(probe: Probe) {
    probe.begin("a").await;
    probe.begin("b").await;
    let mut commit = fixture::commit(&fixture::inner("a", "1"), 0);
    commit.queue.push(fixture::new_task(attempt(3, 1)));
    probe.done(commit).await;
    assert_eq!(probe.claim(ALL).await.len(), 3);
    let end = T0.plus(LEASE).plus(Duration::from_millis(1));
    assert_eq!(probe.sweep(end).await, swept(1, 3));
    assert_eq!(probe.claim_as(BOB, end, ALL).await.tasks.len(), 3);
}
