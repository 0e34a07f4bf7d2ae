//! Suspects: calls that were in the hands of workers that died.

use crate::fixture::{self, ALICE, BOB, LEASE, Story, T0, after, attempt};
use crate::probe::{ALL, Probe};
use vastflow_core::{Task, Timestamp};
use vastflow_store::{Claim, Claimed, Claims, WorkerId};

/// Claims as a worker with nothing in hand.
async fn claim_alone(probe: &Probe, worker: WorkerId, now: Timestamp, max: usize) -> Claims {
    probe.claim_with(Claim { alone: true, ..Claim::new(worker, max, LEASE, now) }).await
}

/// Alice claims at most `max` calls, twice, and dies both times; gives the time.
async fn two_deaths(probe: &Probe, max: usize) -> Timestamp {
    probe.claim_at(T0, max).await;
    probe.sweep(after(60)).await;
    probe.claim_at(after(61), max).await;
    probe.sweep(after(120)).await;
    after(120)
}

fn calls(tasks: &[Claimed]) -> Vec<Task> {
    tasks.iter().map(|claimed| claimed.task).collect()
}

/// What one dead worker had in hand goes on like everything else, all at once.
pub async fn one_death_changes_nothing(probe: Probe) {
    probe.begin_with(Story::new(fixture::wide(3), "r")).await;
    probe.claim(ALL).await;
    probe.sweep(after(60)).await;
    let claims = probe.claim_as(BOB, after(60), ALL).await;
    assert_eq!((claims.tasks.len(), claims.alone_waits), (3, false));
    assert!(claims.tasks.iter().all(|claimed| claimed.crashes == 0), "they were three: {:?}", claims.tasks);
}

/// A call that two workers died with waits for one that does nothing else.
pub async fn a_call_that_two_died_with_is_handed_out_alone(probe: Probe) {
    probe.begin_with(Story::new(fixture::wide(2), "r")).await;
    let now = two_deaths(&probe, ALL).await;
    let claims = probe.claim_as(BOB, now, ALL).await;
    assert!(claims.tasks.is_empty() && claims.alone_waits, "{claims:?}");
    assert!(!claims.more, "there is nothing more for who does other things too");
    let mut given = calls(&claim_alone(&probe, BOB, now, ALL).await.tasks);
    given.extend(calls(&claim_alone(&probe, BOB, now, ALL).await.tasks));
    given.sort_unstable();
    assert_eq!(given, [attempt(0, 1), attempt(1, 1)], "one a claim");
}

/// Nothing is suspected of having killed a worker that said that it goes.
pub async fn who_said_goodbye_was_not_killed(probe: Probe) {
    let story = probe.begin_with(Story::new(fixture::wide(1), "r")).await;
    for at in [0, 1, 2] {
        probe.claim_at(after(at), 1).await;
        probe.goodbye(ALICE, after(at)).await;
        assert_eq!(probe.sweep(after(at)).await.tasks, 1);
    }
    assert_eq!(deaths(&probe, &story).await, [(attempt(0, 1), (0, 0))]);
    assert_eq!(probe.claim_as(BOB, after(3), ALL).await.tasks.len(), 1);
}

/// A worker's death is counted against a call only when it had no other in hand.
pub async fn only_what_was_alone_in_hand_crashed_its_worker(probe: Probe) {
    let story = probe.begin_with(Story::new(fixture::wide(2), "r")).await;
    let now = two_deaths(&probe, ALL).await;
    let alone = claim_alone(&probe, ALICE, now, 1).await.tasks.remove(0);
    assert_eq!(alone.crashes, 0);
    probe.sweep(after(180)).await;
    let mut wanted = [(attempt(0, 1), (2, 0)), (attempt(1, 1), (2, 0))];
    wanted.iter_mut().filter(|(task, _)| *task == alone.task).for_each(|(_, deaths)| *deaths = (3, 1));
    assert_eq!(deaths(&probe, &story).await, wanted);
    let mut together = claim_alone(&probe, BOB, after(180), 1).await.tasks;
    together.extend(claim_alone(&probe, BOB, after(180), 1).await.tasks);
    let crashes = together.iter().find(|claimed| claimed.task == alone.task).map(|claimed| claimed.crashes);
    assert_eq!((together.len(), crashes), (2, Some(1)));
    probe.sweep(after(240)).await;
    wanted.iter_mut().for_each(|(_, (deaths, _))| *deaths += 1);
    assert_eq!(deaths(&probe, &story).await, wanted, "each may have been the other's fault");
}

async fn deaths(probe: &Probe, story: &Story) -> Vec<(Task, (u8, u8))> {
    probe.tasks(&story.scope).await.into_iter().map(|view| (view.task, view.deaths)).collect()
}

/// Who claims alone is given one call at most, and none of those that need not be alone.
pub async fn a_claim_for_one_alone_takes_one_and_no_other_call(probe: Probe) {
    probe.begin_with(Story::new(fixture::wide(2), "two")).await;
    let now = two_deaths(&probe, ALL).await;
    let other = probe.begin_with(Story::new(fixture::wide(1), "one")).await;
    assert!(claim_alone(&probe, BOB, now, 0).await.tasks.is_empty());
    for left in [true, false] {
        let claims = claim_alone(&probe, BOB, now, ALL).await;
        assert_eq!((claims.tasks.len(), claims.more, claims.alone_waits), (1, left, left));
    }
    assert!(claim_alone(&probe, BOB, now, ALL).await.tasks.is_empty());
    let tasks = probe.claim_as(BOB, now, ALL).await.tasks;
    assert_eq!(tasks.iter().map(|claimed| &claimed.scope).collect::<Vec<_>>(), [&other.scope]);
}

/// The attempt that follows an answer is like any other.
pub async fn an_answer_clears_the_suspicion(probe: Probe) {
    let mut story = probe.begin_with(Story::new(fixture::wide(1), "r")).await;
    let now = two_deaths(&probe, 1).await;
    let claimed = claim_alone(&probe, BOB, now, 1).await.tasks.remove(0);
    assert_eq!(claimed.crashes, 2);
    probe.done(story.fail(&claimed)).await;
    let again = probe.claim_as(BOB, after(300), ALL).await.tasks;
    assert_eq!((calls(&again), again[0].crashes), (vec![attempt(0, 2)], 0));
}

/// Timers run no code of a user, so nobody dies of them.
pub async fn timers_are_never_suspects(probe: Probe) {
    probe.begin_with(Story::new(fixture::timed(), "r")).await;
    let claimed = |claims: Claims| claims.tasks.into_iter().find(|claimed| !claimed.task.takes_slot());
    let mut now = after(10_000);
    for _ in 0..3 {
        let timer = claimed(probe.claim_at(now, 0).await).expect("a timer");
        assert_eq!(timer.crashes, 0);
        now = now.plus(LEASE);
        probe.sweep(now).await;
    }
}
