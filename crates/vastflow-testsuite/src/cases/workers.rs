//! Workers: who is alive, and what becomes of the tasks of those who are not.

use crate::fixture::{self, ALICE, BOB, LEASE, Story, T0, after, attempt};
use crate::probe::{ALL, Probe};
use std::time::Duration;
use vastflow_core::Timestamp;
use vastflow_store::{ClaimToken, Claimed, Committed, StoreError, Swept, WorkerId, WorkerInfo};

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

/// The answer to a sign of life says what time it is by the clock that counts.
pub async fn a_sign_of_life_tells_the_time(probe: Probe) {
    assert_eq!(probe.beat(ALICE, after(7)).await.now, after(7));
}

fn named(text: &str) -> WorkerInfo {
    WorkerInfo { name: Some(fixture::name(text)), ..WorkerInfo::here() }
}

/// Everybody can see who is alive, what they told last, and how much they have in hand.
pub async fn workers_are_listed_with_what_they_tell(probe: Probe) {
    assert_eq!(probe.workers().await, []);
    let about = |slots| {
        let lacks = vec![(fixture::plan().hash(), "action \"a\"".into())];
        let (lanes, serves) = (vec![fixture::name("gpu")], vec![fixture::chain("x").hash()]);
        let flows = vec![(fixture::name("x"), serves[0])];
        WorkerInfo { version: "1.2".into(), slots, lanes, flows, serves, lacks, ..named("red") }
    };
    working(&probe, 2).await;
    probe.beat_with(BOB, about(3), after(1)).await.unwrap();
    probe.beat_with(BOB, about(4), after(2)).await.unwrap();
    let workers = probe.workers().await;
    let seen: Vec<_> = workers.iter().map(|row| (row.id, row.until, row.in_hand)).collect();
    assert_eq!(seen, [(ALICE, T0.plus(LEASE), 2), (BOB, after(2).plus(LEASE), 0)]);
    assert_eq!((&*workers[0].about, &*workers[1].about), (&WorkerInfo::default(), &about(4)));
    probe.claim_as(BOB, after(3), 0).await;
    assert_eq!(*probe.workers().await[1].about, about(4), "a claim tells nothing new");
    assert_eq!(probe.fleet().await.now, after(3), "by the clock that leases are judged by");
    probe.sweep(after(16)).await;
    assert_eq!(probe.workers().await.len(), 1, "who was given up is not listed");
}

/// No two living workers have one name; the first keeps it, and the second is as if it had said nothing.
pub async fn two_living_workers_have_two_names(probe: Probe) {
    probe.beat_with(ALICE, named("red"), T0).await.unwrap();
    let refused = probe.beat_with(BOB, named("red"), after(1)).await;
    assert!(matches!(refused, Err(StoreError::Refused(_))), "{refused:?}");
    assert_eq!(probe.workers().await.len(), 1);
    probe.beat_with(ALICE, named("red"), after(2)).await.unwrap();
    probe.beat_with(BOB, named("blue"), after(2)).await.unwrap();
    probe.beat_with(BOB, named("green"), after(3)).await.unwrap();
    probe.beat_with(ALICE, named("blue"), after(3)).await.unwrap();
}

/// A name is free as soon as the lease of who had it is over.
pub async fn a_name_is_free_when_its_worker_is_given_up(probe: Probe) {
    probe.beat_with(ALICE, named("red"), T0).await.unwrap();
    probe.beat_with(BOB, named("red"), T0.plus(LEASE)).await.unwrap();
    let late = probe.beat_with(ALICE, named("red"), after(16)).await;
    assert!(matches!(late, Err(StoreError::Refused(_))), "{late:?}");
}

/// Everybody can see how much was taken from the dead, and how much of theirs was refused.
pub async fn what_was_taken_over_and_fenced_is_counted(probe: Probe) {
    let seen = async || {
        let fleet = probe.fleet().await;
        (fleet.taken_over, fleet.fenced)
    };
    let (mut story, tasks) = working(&probe, 3).await;
    assert_eq!(seen().await, (0, 0));
    probe.sweep(after(60)).await;
    assert_eq!(seen().await, (3, 0));
    probe.claim_as(BOB, after(60), ALL).await;
    for claimed in &tasks {
        assert_eq!(probe.ask(story.clone().answer(claimed)).await, Committed::Fenced);
    }
    assert_eq!(seen().await, (3, 3));
    let late = fixture::commit(&story.scope, 7);
    assert!(matches!(probe.ask(late).await, Committed::Conflict { .. }), "a conflict is nobody's death");
    probe.done(story.finish(attempt(0, 1))).await;
    assert_eq!(seen().await, (3, 3));
}
