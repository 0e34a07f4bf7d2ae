//! Keep: a worker goes on with what it queued itself.

use crate::fixture::{self, ALICE, BOB, Story, T0, after, attempt};
use crate::probe::{ALL, Probe};
use vastflow_core::Task;
use vastflow_store::{ClaimToken, Claimed, Commit, Committed, Control};

/// The same commit with all its tasks kept.
fn kept(mut commit: Commit) -> Commit {
    commit.queue.iter_mut().for_each(|new| new.keep = true);
    commit
}

/// A run of the usual plan whose first task Alice kept.
pub(super) async fn begun(probe: &Probe) -> Story {
    let mut story = Story::new(fixture::plan(), "r");
    probe.put_plan(&story.plan).await;
    probe.beat(ALICE, T0).await;
    probe.done(kept(story.start())).await;
    story
}

async fn holder(probe: &Probe, story: &Story, task: Task) -> Option<vastflow_store::WorkerId> {
    probe.task(&story.scope, task).await.expect("the task exists").by
}

/// A kept task is its worker's, with the first token, and nobody else gets it.
pub async fn a_kept_task_is_claimed(probe: Probe) {
    let story = begun(&probe).await;
    let view = probe.task(&story.scope, attempt(0, 1)).await.unwrap();
    assert_eq!((view.by, view.token), (Some(ALICE), ClaimToken::FIRST));
    assert!(probe.claim_as(BOB, T0, ALL).await.tasks.is_empty());
}

/// A whole chain goes on by keeping, without a claim.
pub async fn a_chain_is_kept_to_its_end(probe: Probe) {
    let mut story = begun(&probe).await;
    for node in 0..3 {
        probe.done(kept(story.settle(attempt(node, 1), ClaimToken::FIRST))).await;
    }
    assert!(probe.row(story.scope.run()).await.summary.status.is_final());
    assert_eq!(probe.tasks(&story.scope).await, []);
}

/// A kept task keeps the time it was queued with, and once given back is handed out with the second token.
pub async fn a_kept_task_may_be_given_back(probe: Probe) {
    let story = begun(&probe).await;
    let lease = vastflow_store::Lease { scope: story.scope.clone(), task: attempt(0, 1), token: ClaimToken::FIRST };
    probe.store().release(&[lease]).await.unwrap();
    assert_eq!(probe.claim_one().await.token, ClaimToken(2));
}

/// A kept task shows the due time that it was queued with.
pub async fn a_kept_task_shows_its_due_time(probe: Probe) {
    let mut story = begun(&probe).await;
    let mut commit = story.finish(attempt(0, 1));
    commit.queue[0] = vastflow_store::NewTask { due: T0, ..fixture::kept_task(attempt(1, 1)) };
    probe.done(commit).await;
    assert_eq!(probe.task(&story.scope, attempt(1, 1)).await.unwrap().due, T0);
}

/// Nothing is kept in a held run: the task waits for the run to go on.
pub async fn nothing_is_kept_while_held(probe: Probe) {
    refuses_to_keep(&probe, Control::Held).await;
}

/// Nothing is kept in a killed run.
pub async fn nothing_is_kept_when_killed(probe: Probe) {
    refuses_to_keep(&probe, Control::Killed).await;
}

async fn refuses_to_keep(probe: &Probe, word: Control) {
    let mut story = begun(probe).await;
    let mut commit = story.clone().fail(&first(&story));
    commit.control = Some(word);
    commit.queue[0] = fixture::kept_task(attempt(0, 2));
    probe.done(commit).await;
    assert_eq!(holder(probe, &story, attempt(0, 2)).await, None, "not in the commit that says {word}");
    story.fail(&first(&story));
    probe.done(kept(story.finish(attempt(0, 2)))).await;
    assert_eq!(holder(probe, &story, attempt(1, 1)).await, None, "nor in the one after");
    assert!(probe.claim_at(after(9), ALL).await.tasks.is_empty());
}

fn first(story: &Story) -> Claimed {
    Claimed {
        scope: story.scope.clone(),
        task: attempt(0, 1),
        token: ClaimToken::FIRST,
        lane: None,
        crashes: 0,
        plan: story.plan.hash(),
        len: story.state.len(),
        control: Default::default(),
        messages: Vec::new(),
    }
}

/// The commit that lets a run go on may keep.
pub async fn the_commit_that_resumes_keeps(probe: Probe) {
    let mut story = begun(&probe).await;
    let mut hold = story.finish(attempt(0, 1));
    hold.control = Some(Control::Held);
    probe.done(hold).await;
    let mut resume = kept(story.finish(attempt(1, 1)));
    resume.control = Some(Control::Running);
    probe.done(resume).await;
    assert_eq!(holder(&probe, &story, attempt(2, 1)).await, Some(ALICE));
}

/// A stopping run's tasks are kept: they are mostly answered "not started".
pub async fn a_stopping_run_keeps(probe: Probe) {
    let mut story = begun(&probe).await;
    let mut commit = kept(story.finish(attempt(0, 1)));
    commit.control = Some(Control::Stopping);
    probe.done(commit).await;
    assert_eq!(holder(&probe, &story, attempt(1, 1)).await, Some(ALICE));
}

/// A refused commit keeps nothing.
pub async fn a_refused_commit_keeps_nothing(probe: Probe) {
    let mut story = begun(&probe).await;
    let late = kept(story.clone().finish(attempt(0, 1)));
    probe.done(story.finish(attempt(0, 1))).await;
    probe.refused(late, Committed::Conflict { len: story.state.len() }).await;
    assert_eq!(holder(&probe, &story, attempt(1, 1)).await, None);
}

/// What a dead worker kept goes to others.
pub async fn what_a_dead_worker_kept_is_swept(probe: Probe) {
    begun(&probe).await;
    assert_eq!(probe.sweep(after(60)).await.tasks, 1);
    assert_eq!(probe.claim_as(BOB, after(60), ALL).await.tasks[0].token, ClaimToken(2));
}

/// A worker that was given up and did not notice may still begin a run; what it keeps then is not lost with it.
pub async fn what_a_given_up_worker_keeps_is_swept(probe: Probe) {
    begun(&probe).await;
    probe.sweep(after(60)).await;
    let mut second = Story::new(fixture::plan(), "second");
    probe.done(kept(second.start())).await;
    probe.sweep(after(600)).await;
    let runs: Vec<_> = probe.claim_as(BOB, after(600), ALL).await.tasks.into_iter().map(|task| task.scope).collect();
    assert!(runs.contains(&second.scope), "the second run is stuck: {runs:?}");
}
