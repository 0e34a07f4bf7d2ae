//! Turns: what becomes of a claim whose answer is lost.

use super::{keep, room};
use crate::fixture::{self, ALICE, BOB, LEASE, Story, T0, after, attempt};
use crate::probe::{ALL, Probe};
use vastflow_store::{Claim, ClaimToken, Claimed, Committed, StoreError, Turn};

fn turn(number: u64, heard: u64) -> Claim {
    Claim { turn: Some(Turn { number, heard }), ..Claim::new(ALICE, ALL, LEASE, T0) }
}

async fn tasks(probe: &Probe, claim: Claim) -> Vec<Claimed> {
    probe.claim_with(claim).await.tasks
}

async fn begun(probe: &Probe, width: usize) -> Story {
    probe.begin_with(Story::new(fixture::wide(width), "r")).await
}

/// What was given in an answer that did not arrive is given again, and the first right to it is gone.
pub async fn what_nobody_heard_of_is_given_again(probe: Probe) {
    let mut story = begun(&probe, 3).await;
    let lost = tasks(&probe, turn(1, 0)).await;
    let again = tasks(&probe, turn(2, 0)).await;
    assert_eq!((lost.len(), again.len()), (3, 3));
    assert!(again.iter().all(|claimed| claimed.token == ClaimToken(2) && claimed.crashes == 0), "{again:#?}");
    let answer = story.clone().answer(&lost[0]);
    assert_eq!(probe.store().commit(answer).await.unwrap(), Committed::Fenced);
    for claimed in &again {
        probe.done(story.answer(claimed)).await;
    }
    assert!(tasks(&probe, turn(3, 2)).await.is_empty());
}

/// It is there for everybody, not only for who asked.
pub async fn what_nobody_heard_of_is_there_for_all(probe: Probe) {
    begun(&probe, 2).await;
    assert_eq!(tasks(&probe, turn(1, 0)).await.len(), 2);
    assert!(tasks(&probe, Claim { max: 0, ..turn(2, 0) }).await.is_empty());
    assert_eq!(probe.claim_as(BOB, T0, ALL).await.tasks.len(), 2);
}

/// What was given in answers that arrived stays where it is; only what came after them goes back.
pub async fn what_was_heard_of_stays(probe: Probe) {
    let mut story = begun(&probe, 3).await;
    let first = tasks(&probe, Claim { max: 1, ..turn(1, 0) }).await;
    let second = tasks(&probe, Claim { max: 1, ..turn(2, 1) }).await;
    assert_eq!((first.len(), second.len()), (1, 1));
    assert_eq!(tasks(&probe, Claim { max: 1, ..turn(3, 2) }).await.len(), 1, "its answer is lost");
    assert_eq!(tasks(&probe, turn(4, 2)).await.len(), 1);
    for claimed in first.iter().chain(&second) {
        probe.done(story.answer(claimed)).await;
    }
}

/// Several answers in a row may be lost.
pub async fn several_answers_may_be_lost(probe: Probe) {
    begun(&probe, 3).await;
    for number in 1..4 {
        assert_eq!(tasks(&probe, Claim { max: 1, ..turn(number, 0) }).await.len(), 1);
    }
    assert_eq!(tasks(&probe, turn(9, 0)).await.len(), 3, "numbers may be left out");
}

/// What a worker kept by a commit of its own was in no answer.
pub async fn what_was_kept_stays(probe: Probe) {
    let mut story = keep::begun(&probe).await;
    assert!(tasks(&probe, turn(1, 0)).await.is_empty());
    assert!(tasks(&probe, turn(9, 0)).await.is_empty());
    probe.done(story.settle(attempt(0, 1), ClaimToken::FIRST)).await;
}

/// A claim that was held up on its way, until the next had come, takes nothing and changes nothing.
pub async fn a_claim_that_comes_late_takes_nothing(probe: Probe) {
    let mut story = begun(&probe, 2).await;
    let mine = tasks(&probe, Claim { max: 1, ..turn(2, 0) }).await;
    probe.beat(ALICE, T0).await;
    for number in [1, 2] {
        let late = probe.store().claim(turn(number, 0)).await;
        assert!(matches!(late, Err(StoreError::Unavailable { .. })), "{late:?}");
    }
    probe.done(story.answer(&mine[0])).await;
    assert_eq!(probe.claim_as(BOB, after(1), ALL).await.tasks.len(), 1);
}

/// Who claims without a number has what it was given.
pub async fn who_does_not_number_its_claims_loses_nothing(probe: Probe) {
    begun(&probe, 2).await;
    assert_eq!(probe.claim(1).await.len(), 1);
    assert_eq!(probe.claim(ALL).await.len(), 1);
    assert!(tasks(&probe, turn(7, 0)).await.is_empty());
}

/// A lane has room again for what nobody heard of.
pub async fn what_nobody_heard_of_takes_no_room(probe: Probe) {
    room::begin_twenty(&probe).await;
    let numbered = |number| Claim { turn: turn(number, 0).turn, ..room::limited(T0, Some(2), None) };
    assert_eq!(tasks(&probe, numbered(1)).await.len(), 2);
    assert_eq!(tasks(&probe, numbered(2)).await.len(), 2);
}
