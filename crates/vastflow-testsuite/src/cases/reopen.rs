//! Closing and opening again, for stores that survive it. What is queued of inner scopes is left out: those
//! cannot be folded yet.

use crate::fixture::{self, BOB, Story, T0, after, attempt, inner};
use crate::law2;
use crate::probe::{ALL, Probe};
use vastflow_core::{Input, ScopeId, Seq, Task};
use vastflow_store::{Claimed, Committed, Control, RunQuery, StoreError};

/// All that was answered is there: journals, rows, counts, plans.
pub async fn what_was_answered_is_there(probe: Probe) {
    let scopes = mixed(&probe).await;
    let before = probe.snapshot(&scopes).await.without_claims();
    let list = probe.page(&RunQuery::default()).await;
    let probe = probe.reopen().await;
    assert_eq!(probe.snapshot(&scopes).await.without_claims(), before);
    assert_eq!(probe.page(&RunQuery::default()).await, list);
    let probe = probe.reopen().await;
    assert_eq!(probe.snapshot(&scopes).await.without_claims(), before, "the second time");
}

/// Runs in different places: just begun, going on, with timers, stopping, ended.
async fn mixed(probe: &Probe) -> Vec<ScopeId> {
    let begun = probe.begin("begun").await;
    let mut going = probe.begin("going").await;
    probe.done(going.finish(attempt(0, 1))).await;
    let timed = probe.begin_with(Story::new(fixture::timed(), "timed")).await;
    let mut stopping = probe.begin("stopping").await;
    probe.done(stopping.tell(Input::Cancel { by: "me".into(), why: "enough".into() })).await;
    let mut ended = probe.begin_with(Story::new(fixture::wide(1), "ended")).await;
    probe.done(ended.finish(attempt(0, 1))).await;
    [begun, going, timed, stopping, ended].map(|story| story.scope).into()
}

/// The queue is what follows from the journals.
pub async fn the_queue_follows_from_the_journals(probe: Probe) {
    let scopes = mixed(&probe).await;
    law2(probe.store(), &scopes).await.unwrap();
    probe.claim(2).await;
    let probe = probe.reopen().await;
    law2(probe.store(), &scopes).await.unwrap();
}

/// One process holds an embedded store: with it die its claims. A fleet's claims live on.
pub async fn claims_die_with_an_embedded_store(probe: Probe) {
    let mut story = probe.begin("r").await;
    let claimed = probe.claim_one().await;
    let probe = probe.reopen().await;
    if probe.store().capabilities().fleet {
        probe.done(story.answer(&claimed)).await;
        return;
    }
    assert_eq!(probe.task(&story.scope, claimed.task).await.unwrap().by, None);
    probe.refused(story.clone().answer(&claimed), Committed::Fenced).await;
    let again = probe.claim_as(BOB, T0, ALL).await.tasks.remove(0);
    assert_eq!(again.task, claimed.task);
    probe.done(story.answer(&again)).await;
}

/// What was kept is claimable again as well.
pub async fn kept_tasks_die_with_an_embedded_store(probe: Probe) {
    let mut story = Story::new(fixture::plan(), "r");
    probe.put_plan(&story.plan).await;
    let mut start = story.start();
    start.queue[0].keep = true;
    probe.done(start).await;
    let probe = probe.reopen().await;
    if !probe.store().capabilities().fleet {
        probe.done(story.answer(&probe.claim_one().await)).await;
    }
}

/// Timers are due when they were due, and not early.
pub async fn timers_survive(probe: Probe) {
    let story = probe.begin_with(Story::new(fixture::timed(), "r")).await;
    let probe = probe.reopen().await;
    let claims = probe.claim_at(T0, ALL).await;
    assert_eq!((claims.tasks.len(), claims.next_due), (1, Some(after(10))));
    let due = probe.claim_at(after(10), ALL).await;
    assert!(matches!(due.tasks[0].task, Task::NodeDeadline { .. }));
    assert_eq!((due.next_due, &due.tasks[0].scope), (Some(after(60)), &story.scope));
}

/// A repetition is recognised after a reopening, of unfinished runs and of ended ones.
pub async fn repetitions_are_recognised(probe: Probe) {
    let mut open = Story::new(fixture::wide(2), "open");
    let mut ended = Story::new(fixture::wide(1), "ended");
    probe.put_plan(&open.plan).await;
    probe.put_plan(&ended.plan).await;
    let commits = [open.start(), open.finish(attempt(0, 1)), ended.start(), ended.finish(attempt(0, 1))];
    for commit in &commits {
        probe.done(commit.clone()).await;
    }
    let probe = probe.reopen().await;
    for commit in commits {
        let control = Default::default();
        probe.refused(commit, Committed::Duplicate { control }).await;
    }
}

/// Ids stay taken, and lengths are remembered.
pub async fn conflicts_are_recognised(probe: Probe) {
    mixed(&probe).await;
    let probe = probe.reopen().await;
    probe.refused(fixture::start_commit("begun"), Committed::Conflict { len: Seq(1) }).await;
    let ended = probe.row(&fixture::run_id("ended")).await.len;
    probe.refused(fixture::start_commit("ended"), Committed::Conflict { len: ended }).await;
}

/// A held run is still held, and goes on when it is told to.
pub async fn the_control_word_survives(probe: Probe) {
    let mut story = probe.begin_with(Story::new(fixture::wide(3), "r")).await;
    let mut hold = story.finish(attempt(0, 1));
    hold.control = Some(Control::Held);
    let word = probe.done(hold).await;
    let probe = probe.reopen().await;
    assert_eq!(probe.row(story.scope.run()).await.control, word);
    assert!(probe.claim(ALL).await.is_empty());
    let mut resume = story.finish(attempt(1, 1));
    resume.control = Some(Control::Running);
    assert_eq!(probe.done(resume).await.revision, 2);
    assert_eq!(probe.claim_one().await.task, attempt(2, 1));
}

/// New runs come after old ones in the list.
pub async fn new_runs_come_after_old_ones(probe: Probe) {
    let mut first = probe.begin_with(Story::new(fixture::wide(1), "1")).await;
    probe.done(first.finish(attempt(0, 1))).await;
    let probe = probe.reopen().await;
    probe.begin("2").await;
    let probe = probe.reopen().await;
    probe.begin("3").await;
    let ids: Vec<_> = probe.page(&RunQuery::default()).await.rows.into_iter().map(|row| row.id.to_string()).collect();
    assert_eq!(ids, ["3", "2", "1"]);
}

/// Journals of inner scopes are there as well.
pub async fn inner_journals_survive(probe: Probe) {
    probe.begin("r").await;
    let item = inner("r", "1");
    probe.done(fixture::commit(&item, 0)).await;
    probe.done(fixture::commit(&item, 1)).await;
    let before = probe.history(&item).await;
    let probe = probe.reopen().await;
    assert_eq!(probe.history(&item).await, before);
    probe.refused(fixture::commit(&item, 1), Committed::Conflict { len: Seq(2) }).await;
}

/// A run goes on to its end over many reopenings.
pub async fn a_run_goes_on(probe: Probe) {
    let mut story = probe.begin("r").await;
    let mut probe = probe;
    for node in 0..3 {
        probe = probe.reopen().await;
        let claimed = probe.claim_one().await;
        assert_eq!((claimed.task, claimed.len), (attempt(node, 1), story.state.len()));
        probe.done(story.answer(&claimed)).await;
    }
    let probe = probe.reopen().await;
    let row = probe.row(story.scope.run()).await;
    assert_eq!((Some(row.summary), row.len), (story.state.summary(&story.plan), story.state.len()));
    assert!(probe.claim(ALL).await.is_empty());
}

/// A closed store says so and takes nothing.
pub async fn a_closed_store_says_so(probe: Probe) {
    let mut story = probe.begin("r").await;
    probe.store().close().await.unwrap();
    let answer = probe.batch(vec![story.clone().finish(attempt(0, 1))]).await.remove(0).1;
    assert!(matches!(answer, Err(StoreError::Closed { .. })), "{answer:?}");
    let probe = probe.reopen().await;
    probe.done(story.finish(attempt(0, 1))).await;
}

/// Messages that wait are delivered after a reopening, those in hand are delivered again, those delivered are not, and
/// none waits twice.
pub async fn messages_survive(probe: Probe) {
    let mut story = probe.begin_with(Story::new(fixture::wide(9), "r")).await;
    let item = inner("r", "1");
    send(&probe, &mut story, 0, &[1]).await;
    let first = deliver(&probe, &item, 100).await;
    let mut settle = fixture::commit(&item, 0);
    settle.settle.push((first.task, first.token));
    probe.done(settle).await;
    send(&probe, &mut story, 1, &[2]).await;
    deliver(&probe, &item, 200).await;
    send(&probe, &mut story, 2, &[3, 2]).await;
    let probe = probe.reopen().await;
    send(&probe, &mut story, 3, &[3, 2, 4]).await;
    let kinds: Vec<_> = deliver(&probe, &item, 300).await.messages.iter().map(|(_, message)| message.kind).collect();
    assert_eq!(kinds, [2, 3, 4]);
}

async fn send(probe: &Probe, story: &mut Story, node: u32, kinds: &[u32]) {
    let mut commit = story.finish(attempt(node, 1));
    commit.messages = kinds.iter().map(|kind| fixture::message(&inner("r", "1"), *kind)).collect();
    probe.done(commit).await;
}

/// Claims the delivery of a scope; a fleet's claims outlive the one that made them, so its lease is made to end first.
async fn deliver(probe: &Probe, scope: &ScopeId, seconds: u64) -> Claimed {
    let now = after(seconds);
    if probe.store().capabilities().fleet {
        probe.sweep(now).await;
    }
    let tasks = probe.claim_at(now, 0).await.tasks;
    tasks.into_iter().find(|claimed| claimed.scope == *scope).expect("a delivery")
}
