//! Queues: how much work there is, and for how long it has waited.

use super::room::begin_lanes;
use crate::fixture::{self, ALICE, BOB, Story, T0, after, attempt, name};
use crate::probe::{ALL, Probe};
use vastflow_core::Timestamp;
use vastflow_store::{Control, QueueRow};

/// One row a plan and lane, only of what has calls.
pub async fn calls_are_counted_by_plan_and_lane(probe: Probe) {
    assert_eq!(probe.queues().await, []);
    let story = begin_lanes(&probe).await;
    let plan = story.plan.hash();
    let row = |lane: Option<&str>, ready| QueueRow { ready, since: Some(T0), ..QueueRow::empty(plan, lane.map(name)) };
    assert_eq!(probe.queues().await, [row(None, 1), row(Some("gpu"), 2)]);
    let other = probe.begin_with(Story::new(fixture::wide(3), "other")).await;
    let mut rows: Vec<_> = probe.queues().await.into_iter().map(|row| (row.plan, row.lane, row.ready)).collect();
    let mut wanted = vec![(plan, None, 1), (plan, Some(name("gpu")), 2), (other.plan.hash(), None, 3)];
    rows.sort_unstable();
    wanted.sort_unstable();
    assert_eq!(rows, wanted);
}

/// What a held run has waits for nobody.
pub async fn a_held_run_s_calls_are_told_apart(probe: Probe) {
    let mut story = probe.begin_with(Story::new(fixture::wide(3), "r")).await;
    let claimed = probe.claim(1).await.remove(0);
    let mut hold = story.answer(&claimed);
    hold.control = Some(Control::Held);
    probe.done(hold).await;
    let held = QueueRow { held: 2, ..QueueRow::empty(story.plan.hash(), None) };
    assert_eq!(probe.queues().await, std::slice::from_ref(&held));
    assert!(probe.claim(ALL).await.is_empty());
    assert_eq!(probe.queues().await, [held], "nor after somebody looked");
}

/// What workers have in hand is counted, until it is answered.
pub async fn what_is_in_hand_is_counted(probe: Probe) {
    let mut story = probe.begin_with(Story::new(fixture::wide(2), "r")).await;
    let claimed = probe.claim_as(BOB, T0, 1).await.tasks.remove(0);
    let row = |ready, in_hand| QueueRow {
        ready,
        since: (ready > 0).then_some(T0),
        in_hand,
        ..QueueRow::empty(story.plan.hash(), None)
    };
    assert_eq!(probe.queues().await, [row(1, 1)]);
    assert_eq!(probe.workers().await[0].in_hand, 1);
    let wanted = row(1, 0);
    probe.done(story.answer(&claimed)).await;
    assert_eq!(probe.queues().await, [wanted]);
    probe.done(story.finish(attempt(1, 1))).await;
    assert_eq!(probe.queues().await, [], "no calls, no row");
}

/// Work is as old as the time since which it could have been done: of a retry, since it was due.
pub async fn the_age_is_that_of_the_oldest(probe: Probe) {
    let mut story = probe.begin_with(Story::new(fixture::wide(1), "r")).await;
    let claimed = probe.claim_one().await;
    probe.done(story.fail(&claimed)).await;
    let row = |ready, later, since: Option<Timestamp>| QueueRow {
        ready,
        later,
        since,
        ..QueueRow::empty(story.plan.hash(), None)
    };
    assert_eq!(probe.queues().await, [row(0, 1, None)]);
    let due = probe.task(&story.scope, attempt(0, 2)).await.unwrap().due;
    probe.beat(ALICE, due).await;
    assert_eq!(probe.queues().await, [row(1, 0, Some(due))]);
    probe.claim_at(after(30), 0).await;
    assert_eq!(probe.queues().await, [row(1, 0, Some(due))], "however late one looks");
}

/// Those that must run alone are counted among those that are ready.
pub async fn who_must_run_alone_is_counted(probe: Probe) {
    probe.begin_with(Story::new(fixture::wide(2), "two")).await;
    for death in 0..2 {
        probe.claim_at(after(60 * death), ALL).await;
        probe.sweep(after(60 * death + 30)).await;
    }
    probe.begin_with(Story::new(fixture::wide(2), "more")).await;
    let rows = probe.queues().await;
    assert_eq!(rows.iter().map(|row| (row.ready, row.alone)).collect::<Vec<_>>(), [(4, 2)]);
}
