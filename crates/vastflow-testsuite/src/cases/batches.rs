//! Batches: many commits in one call, each whole or not at all.

use crate::fixture::{self, BOB, Story, T0, attempt, inner, message};
use crate::probe::{ALL, Probe};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use vastflow_core::{Seq, Task};
use vastflow_store::{ClaimToken, Commit, Committed, ControlWord, StoreError};

const DONE: Committed =
    Committed::Done { control: ControlWord { control: vastflow_store::Control::Running, revision: 0 } };

fn starts(runs: std::ops::Range<u32>) -> Vec<Commit> {
    runs.map(|run| fixture::start_commit(&format!("r{run}"))).collect()
}

/// Answers come in the order of the commits, each with its commit.
pub async fn answers_are_in_order(probe: Probe) {
    probe.put_plan(&fixture::plan()).await;
    let batch = starts(0..40);
    let ops: Vec<_> = batch.iter().map(|commit| commit.op).collect();
    let answer = probe.batch(batch).await;
    assert_eq!(answer.iter().map(|(commit, _)| commit.op).collect::<Vec<_>>(), ops);
    assert!(answer.iter().all(|(_, committed)| matches!(committed, Ok(answer) if *answer == DONE)));
    assert_eq!(probe.counts().await.running, 40);
}

/// A batch takes effect in its order.
pub async fn a_batch_is_applied_in_order(probe: Probe) {
    probe.put_plan(&fixture::plan()).await;
    probe.answers(starts(0..9)).await;
    let runs: Vec<_> = probe.claim(ALL).await.into_iter().map(|claimed| claimed.scope.run().to_string()).collect();
    assert_eq!(runs, (0..9).map(|run| format!("r{run}")).collect::<Vec<_>>());
}

/// Refusals of every kind in the middle stop nobody else.
pub async fn refusals_do_not_stop_the_others(probe: Probe) {
    probe.begin("late").await;
    let late = fixture::start_commit("late");
    let fenced = probe.begin("fenced").await.settle(attempt(0, 1), ClaimToken(5));
    let mut invalid = probe.begin("invalid").await.finish(attempt(0, 1));
    invalid.events.clear();
    let again = fixture::start_commit("again");
    probe.done(again.clone()).await;
    let mut batch = starts(0..5);
    for (at, refused) in [late, fenced, invalid, again].into_iter().enumerate() {
        batch.insert(at * 2 + 1, refused);
    }
    let answers: Vec<_> = probe.batch(batch).await.into_iter().map(|(_, answer)| answer).collect();
    for at in [0, 2, 4, 6, 8] {
        assert!(matches!(&answers[at], Ok(answer) if *answer == DONE), "the one at {at}: {:?}", answers[at]);
    }
    assert!(matches!(answers[1], Ok(Committed::Conflict { len: Seq(1) })), "{:?}", answers[1]);
    assert!(matches!(answers[3], Ok(Committed::Fenced)), "{:?}", answers[3]);
    assert!(matches!(answers[5], Err(StoreError::Invalid(_))), "{:?}", answers[5]);
    assert!(matches!(answers[7], Ok(Committed::Duplicate { .. })), "{:?}", answers[7]);
}

/// An element is whole or not at all: events, tasks, messages and rows together.
pub async fn an_element_is_whole(probe: Probe) {
    let mut story = probe.begin_with(Story::new(fixture::wide(3), "r")).await;
    let claimed = probe.claim(1).await.remove(0);
    let item = inner("r", "1");
    let mut commit = story.answer(&claimed);
    commit.messages.push(message(&item, 1));
    commit.queue.push(fixture::new_task(attempt(8, 1)));
    commit.obsolete.push(attempt(1, 1));
    probe.answers(vec![commit]).await;
    let tasks: Vec<_> = probe.tasks(&story.scope).await.into_iter().map(|view| view.task).collect();
    assert_eq!(tasks, [attempt(2, 1), attempt(8, 1)]);
    assert_eq!(probe.tasks(&item).await[0].task, Task::Deliver);
    assert_eq!((probe.history(&story.scope).await.len(), probe.row(story.scope.run()).await.len), (2, Seq(2)));
}

/// A later element sees what an earlier one did: a run and the first commit of its inner scope in one batch.
pub async fn later_elements_see_earlier_ones(probe: Probe) {
    let mut story = Story::new(fixture::plan(), "r");
    probe.put_plan(&story.plan).await;
    let item = inner("r", "1");
    let mut start = story.start();
    start.messages.push(message(&item, 3));
    assert_eq!(probe.answers(vec![start, fixture::commit(&item, 0)]).await, [DONE, DONE]);
    let deliver = probe.claim_as(BOB, T0, ALL).await.tasks.into_iter().find(|claimed| claimed.scope == item);
    assert_eq!(deliver.expect("a delivery").len, Seq(1));
}

/// A batch of nothing is answered with nothing.
pub async fn an_empty_batch_is_answered(probe: Probe) {
    assert!(probe.batch(Vec::new()).await.is_empty());
}

/// Each batch is answered once, whoever else submits.
pub async fn many_submitters_are_all_answered(probe: Probe) {
    probe.put_plan(&fixture::plan()).await;
    let answers = Arc::new(AtomicUsize::new(0));
    let submitters: Vec<_> =
        (0..8).map(|at| tokio::spawn(submit_all(probe.clone(), Arc::clone(&answers), at))).collect();
    for submitter in submitters {
        submitter.await.expect("a submitter");
    }
    assert_eq!(answers.load(Ordering::SeqCst), 8 * 5 * 6);
    assert_eq!(probe.counts().await.running, 8 * 5 * 6);
}

async fn submit_all(probe: Probe, answers: Arc<AtomicUsize>, at: u32) {
    for round in 0..5 {
        let first = (at * 5 + round) * 6;
        let done = probe.answers(starts(first..first + 6)).await;
        assert!(done.iter().all(|answer| *answer == DONE), "{done:?}");
        answers.fetch_add(done.len(), Ordering::SeqCst);
    }
}

/// What was answered is there for everybody at once.
pub async fn what_was_answered_is_seen_at_once(probe: Probe) {
    let mut story = probe.begin_with(Story::new(fixture::wide(20), "r")).await;
    for node in 0..20 {
        probe.done(story.finish(attempt(node, 1))).await;
        let len = story.state.len();
        assert_eq!(probe.history(&story.scope).await.len() as u64, len.0);
        assert_eq!(probe.row(story.scope.run()).await.len, len);
        assert_eq!(probe.page(&Default::default()).await.rows[0].len, len);
    }
}

/// A commit may settle, queue and record for ten thousand nodes at once: as many as a plan may have.
pub async fn a_commit_may_be_as_wide_as_a_plan(probe: Probe) {
    const WIDTH: usize = 10_000;
    let mut story = probe.begin_with(Story::new(fixture::wide(WIDTH), "r")).await;
    assert_eq!(probe.tasks(&story.scope).await.len(), WIDTH);
    let several = (0..WIDTH as u32).map(|node| story.finish(attempt(node, 1))).collect();
    probe.done(fixture::merged(several)).await;
    assert_eq!(probe.tasks(&story.scope).await, []);
    assert_eq!(probe.row(story.scope.run()).await.len, story.state.len());
}
