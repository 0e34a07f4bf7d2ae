//! Timers: tasks that become visible later.

use crate::fixture::{self, BOB, Story, T0, after, attempt};
use crate::probe::{ALL, Probe};
use std::time::Duration;
use vastflow_core::{NodeIx, Task, Timestamp};
use vastflow_store::ClaimToken;

const NODE_DEADLINE: Task = Task::NodeDeadline { node: NodeIx(0) };

async fn timed(probe: &Probe) -> Story {
    probe.begin_with(Story::new(fixture::timed(), "r")).await
}

async fn visible(probe: &Probe, now: Timestamp) -> Vec<Task> {
    probe.claim_at(now, ALL).await.tasks.iter().map(|claimed| claimed.task).collect()
}

/// A timer is not handed out a millisecond early, and is from its time on, without anybody writing.
pub async fn a_timer_is_never_early(probe: Probe) {
    timed(&probe).await;
    assert_eq!(visible(&probe, T0).await, [attempt(0, 1)]);
    let just_before = Timestamp::from_millis(after(10).millis() - 1);
    assert_eq!(visible(&probe, just_before).await, []);
    assert_eq!(visible(&probe, after(10)).await, [NODE_DEADLINE]);
    assert_eq!(visible(&probe, after(59)).await, []);
    assert_eq!(visible(&probe, after(61)).await, [Task::RunDeadline]);
}

/// A claim tells when the next timer is due: the earliest that is not visible yet.
pub async fn a_claim_tells_when_to_come_back(probe: Probe) {
    assert_eq!(probe.claim_at(T0, ALL).await.next_due, None);
    timed(&probe).await;
    assert_eq!(probe.claim_at(T0, ALL).await.next_due, Some(after(10)));
    assert_eq!(probe.claim_at(after(10), ALL).await.next_due, Some(after(60)));
    assert_eq!(probe.claim_at(after(60), ALL).await.next_due, None);
}

/// A claim that asks for nothing is told as well.
pub async fn a_claim_for_nothing_is_told_when_to_come_back(probe: Probe) {
    timed(&probe).await;
    assert_eq!(probe.claim_at(T0, 0).await.next_due, Some(after(10)));
}

/// A new timer that is earlier than all others is told next.
pub async fn an_earlier_timer_is_told_first(probe: Probe) {
    timed(&probe).await;
    let mut second = Story::new(fixture::timed(), "second");
    second.info.deadline = Some(after(4));
    probe.begin_with(second).await;
    assert_eq!(probe.claim_at(T0, ALL).await.next_due, Some(after(4)));
}

/// A retry waits for its time.
pub async fn a_retry_waits(probe: Probe) {
    let mut story = probe.begin("r").await;
    let claimed = probe.claim_one().await;
    story.now = after(2);
    probe.done(story.fail(&claimed)).await;
    assert_eq!(probe.task(&story.scope, attempt(0, 2)).await.unwrap().due, after(3));
    assert_eq!(visible(&probe, after(2)).await, []);
    assert_eq!(visible(&probe, after(3)).await, [attempt(0, 2)]);
}

/// A timer that is due when it is queued can be claimed at once.
pub async fn a_timer_in_the_past_is_visible(probe: Probe) {
    probe.claim_at(after(500), ALL).await;
    timed(&probe).await;
    assert_eq!(visible(&probe, after(500)).await.len(), 3);
}

/// A claimed timer is fenced and released like any task.
pub async fn a_timer_is_claimed_like_any_task(probe: Probe) {
    let mut story = timed(&probe).await;
    probe.claim(ALL).await;
    let timer = probe.claim_as(BOB, after(10), ALL).await.tasks.remove(0);
    assert_eq!((timer.task, timer.token), (NODE_DEADLINE, ClaimToken::FIRST));
    probe.release(&[timer]).await;
    let timer = probe.claim_as(BOB, after(11), ALL).await.tasks.remove(0);
    assert_eq!((timer.task, timer.token), (NODE_DEADLINE, ClaimToken(2)));
    story.now = after(11);
    probe.done(story.answer(&timer)).await;
    let row = probe.row(story.scope.run()).await;
    assert_eq!(row.summary.status, vastflow_core::RunStatus::Failed);
    assert_eq!(probe.tasks(&story.scope).await, [], "the run's own timer is gone with it");
}

/// Timers and deliveries take no slot of a worker: its maximum does not hold them back, and they do not use it up.
pub async fn timers_take_no_slot(probe: Probe) {
    timed(&probe).await;
    let mut story = probe.begin_with(Story::new(fixture::wide(3), "wide")).await;
    let mut commit = story.finish(attempt(0, 1));
    commit.messages.push(fixture::message(&fixture::inner("wide", "1"), 1));
    probe.done(commit).await;
    let full = probe.claim_at(after(10), 0).await.tasks;
    let mut tasks: Vec<_> = full.iter().map(|claimed| claimed.task).collect();
    tasks.sort_unstable();
    assert_eq!(tasks, [NODE_DEADLINE, Task::Deliver]);
    let tasks = probe.claim_at(after(60), 1).await.tasks;
    assert_eq!(tasks.len(), 2, "one task and one timer: {tasks:#?}");
}

/// Ten timers of one moment are all there, and those of the next are not.
pub async fn timers_of_one_moment_come_together(probe: Probe) {
    for run in 0..10 {
        let mut story = Story::new(fixture::wide(1), &format!("r{run}"));
        story.info.deadline = Some(after(5 + run % 2));
        probe.begin_with(story).await;
    }
    assert_eq!(visible(&probe, after(4)).await.len(), 10, "the attempts");
    assert_eq!(visible(&probe, after(5)).await.len(), 5);
    assert_eq!(visible(&probe, T0.plus(Duration::from_millis(5_999))).await.len(), 0);
    assert_eq!(visible(&probe, after(6)).await.len(), 5);
}
