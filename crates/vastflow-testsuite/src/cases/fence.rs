//! The fence: only the current claim's token may answer a task, and what is fenced changes nothing.

use crate::fixture::{self, ALICE, BOB, Story, after, attempt, inner};
use crate::probe::{ALL, Probe};
use vastflow_core::Seq;
use vastflow_store::{ClaimToken, Claimed, Committed, Control};

/// Its own token answers a task.
pub async fn the_current_token_settles(probe: Probe) {
    let mut story = probe.begin("r").await;
    let claimed = probe.claim_one().await;
    probe.done(story.answer(&claimed)).await;
    assert_eq!(probe.task(&story.scope, claimed.task).await, None, "an answered task exists no more");
}

/// No other number does.
pub async fn another_token_is_fenced(probe: Probe) {
    let story = probe.begin("r").await;
    let claimed = probe.claim_one().await;
    for token in [0, claimed.token.0 + 1, u32::MAX] {
        let commit = story.clone().settle(claimed.task, ClaimToken(token));
        probe.refused(commit, Committed::Fenced).await;
    }
}

/// A task that nobody claimed cannot be answered, not even with token 0.
pub async fn an_unclaimed_task_is_fenced(probe: Probe) {
    let story = probe.begin("r").await;
    for token in [ClaimToken(0), ClaimToken::FIRST] {
        probe.refused(story.clone().settle(attempt(0, 1), token), Committed::Fenced).await;
    }
}

/// What was given back is not one's own any more.
pub async fn a_released_task_is_fenced(probe: Probe) {
    let story = probe.begin("r").await;
    let claimed = probe.claim_one().await;
    probe.release(std::slice::from_ref(&claimed)).await;
    probe.refused(story.clone().answer(&claimed), Committed::Fenced).await;
}

/// A token does not come back to life when the same worker claims the task again.
pub async fn the_token_before_a_release_is_fenced(probe: Probe) {
    let mut story = probe.begin("r").await;
    let first = probe.claim_one().await;
    probe.release(std::slice::from_ref(&first)).await;
    let second = probe.claim_one().await;
    probe.refused(story.clone().answer(&first), Committed::Fenced).await;
    probe.done(story.answer(&second)).await;
}

/// A worker that was given up cannot answer what it held: before and after somebody else claims it.
pub async fn the_token_before_a_sweep_is_fenced(probe: Probe) {
    let mut story = probe.begin("r").await;
    let first = probe.claim_one().await;
    probe.sweep(after(60)).await;
    probe.refused(story.clone().answer(&first), Committed::Fenced).await;
    let second = only(probe.claim_as(BOB, after(60), ALL).await.tasks);
    probe.refused(story.clone().answer(&first), Committed::Fenced).await;
    probe.done(story.answer(&second)).await;
}

fn only(mut tasks: Vec<Claimed>) -> Claimed {
    assert_eq!(tasks.len(), 1, "one task: {tasks:#?}");
    tasks.remove(0)
}

/// A task is answered once.
pub async fn a_settled_task_is_fenced(probe: Probe) {
    let mut story = probe.begin("r").await;
    let claimed = probe.claim_one().await;
    probe.done(story.answer(&claimed)).await;
    let mut again = story.finish(attempt(1, 1));
    again.settle.push((claimed.task, claimed.token));
    probe.refused(again, Committed::Fenced).await;
}

/// A task that never was cannot be answered.
pub async fn an_unknown_task_is_fenced(probe: Probe) {
    let story = probe.begin("r").await;
    let mut commit = story.clone().finish(attempt(0, 1));
    commit.settle.push((attempt(7, 7), ClaimToken::FIRST));
    probe.refused(commit, Committed::Fenced).await;
}

/// Tasks belong to their scope: the same task of another scope is not settled by it.
pub async fn a_task_of_another_scope_is_fenced(probe: Probe) {
    let story = probe.begin("r").await;
    let claimed = probe.claim_one().await;
    let mut commit = fixture::commit(&inner("r", "1"), 0);
    commit.settle.push((claimed.task, claimed.token));
    probe.refused(commit, Committed::Fenced).await;
    assert_eq!(probe.task(&story.scope, claimed.task).await.unwrap().by, Some(ALICE));
}

/// What was made obsolete while a worker had it is not the worker's any more.
pub async fn an_obsolete_task_is_fenced(probe: Probe) {
    let mut story = probe.begin("r").await;
    let claimed = probe.claim_one().await;
    probe.done(story.finish(claimed.task)).await;
    let mut late = story.finish(attempt(1, 1));
    late.settle.push((claimed.task, claimed.token));
    probe.refused(late, Committed::Fenced).await;
}

/// One bad token among good ones, and nothing of the commit happens.
pub async fn one_bad_token_fences_all(probe: Probe) {
    let mut story = probe.begin_with(Story::new(fixture::wide(3), "r")).await;
    let tasks = probe.claim(ALL).await;
    let mut commit = story.clone().answer(&tasks[0]);
    commit.settle.push((tasks[1].task, tasks[1].token));
    commit.settle.push((tasks[2].task, ClaimToken(99)));
    commit.queue.push(fixture::kept_task(attempt(8, 1)));
    commit.messages.push(fixture::message(&inner("r", "1"), 1));
    commit.control = Some(Control::Held);
    probe.refused(commit, Committed::Fenced).await;
    probe.done(story.answer(&tasks[0])).await;
}

/// Several tasks are answered by one commit.
pub async fn good_tokens_settle_together(probe: Probe) {
    let mut story = probe.begin_with(Story::new(fixture::wide(3), "r")).await;
    let tasks = probe.claim(ALL).await;
    let mut commit = story.answer(&tasks[0]);
    commit.settle.push((tasks[1].task, tasks[1].token));
    probe.done(commit).await;
    let left: Vec<_> = probe.tasks(&story.scope).await.iter().map(|view| view.task).collect();
    assert_eq!(left, [tasks[2].task]);
}

/// A commit that settles nothing needs no token, only the right length.
pub async fn a_commit_without_tasks_needs_no_token(probe: Probe) {
    let mut story = probe.begin("r").await;
    let claimed = probe.claim_one().await;
    let cancel = vastflow_core::Input::Cancel { by: "me".into(), why: "enough".into() };
    probe.done(story.tell(cancel)).await;
    assert_eq!(probe.task(&story.scope, claimed.task).await.unwrap().by, Some(ALICE), "its task is still claimed");
    assert_eq!(probe.row(story.scope.run()).await.len, Seq(2));
}
