//! Repeating a commit whose answer was lost.

use crate::fixture::{self, Story, attempt, inner, message};
use crate::probe::{ALL, Probe};
use vastflow_core::Seq;
use vastflow_store::{Committed, Control, ControlWord};

const AGAIN: Committed = Committed::Duplicate { control: ControlWord { control: Control::Running, revision: 0 } };

/// A start that is repeated is a duplicate, not a conflict.
pub async fn a_repeated_start(probe: Probe) {
    let mut story = Story::new(fixture::plan(), "r");
    probe.put_plan(&story.plan).await;
    let commit = story.start();
    probe.done(commit.clone()).await;
    probe.refused(commit, AGAIN).await;
}

/// A repetition is recognised although the tasks it settles are gone.
pub async fn a_repeated_answer(probe: Probe) {
    let mut story = probe.begin("r").await;
    let commit = story.answer(&probe.claim_one().await);
    probe.done(commit.clone()).await;
    probe.refused(commit, AGAIN).await;
}

/// A repetition is recognised however much came after it.
pub async fn a_repetition_after_more_commits(probe: Probe) {
    let mut story = Story::new(fixture::wide(9), "r");
    probe.put_plan(&story.plan).await;
    let mut commits = vec![story.start()];
    commits.extend((0..9).map(|node| story.finish(attempt(node, 1))));
    for commit in &commits {
        probe.done(commit.clone()).await;
    }
    for commit in commits {
        probe.refused(commit, AGAIN).await;
    }
}

/// A repetition is told the control word of now.
pub async fn a_repetition_is_told_the_word_of_now(probe: Probe) {
    let mut story = probe.begin("r").await;
    let first = story.finish(attempt(0, 1));
    probe.done(first.clone()).await;
    let mut hold = story.finish(attempt(1, 1));
    hold.control = Some(Control::Held);
    let control = probe.done(hold).await;
    probe.refused(first, Committed::Duplicate { control }).await;
}

/// A repetition brings nothing back: not the tasks it queued, not the messages it sent.
pub async fn a_repetition_brings_nothing_back(probe: Probe) {
    let mut story = probe.begin("r").await;
    let item = inner("r", "1");
    let mut commit = story.answer(&probe.claim_one().await);
    commit.messages.push(message(&item, 1));
    probe.done(commit.clone()).await;
    for claimed in probe.claim(ALL).await {
        let mut settle = fixture::commit(&claimed.scope, claimed.len.0);
        settle.settle.push((claimed.task, claimed.token));
        settle.events = if claimed.scope == story.scope { story.finish(claimed.task).events } else { settle.events };
        probe.done(settle).await;
    }
    probe.refused(commit, AGAIN).await;
    assert!(probe.claim(ALL).await.is_empty());
}

/// Of many that send the same commit at once, one takes effect.
pub async fn repetitions_at_once(probe: Probe) {
    let mut story = probe.begin("r").await;
    let commit = story.answer(&probe.claim_one().await);
    let senders: Vec<_> = (0..8)
        .map(|_| {
            let (probe, commit) = (probe.clone(), commit.clone());
            tokio::spawn(async move { probe.ask(commit).await })
        })
        .collect();
    let mut answers = Vec::new();
    for sender in senders {
        answers.push(sender.await.expect("a sender"));
    }
    assert_eq!(answers.iter().filter(|answer| **answer == AGAIN).count(), 7, "{answers:?}");
    assert_eq!(probe.history(&story.scope).await.len(), 2);
}

/// What was refused did not happen: under the same name it may still happen.
pub async fn a_refused_commit_is_not_remembered(probe: Probe) {
    let mut story = probe.begin_with(Story::new(fixture::wide(3), "r")).await;
    let late = story.clone().finish(attempt(1, 1));
    probe.done(story.finish(attempt(0, 1))).await;
    probe.refused(late.clone(), Committed::Conflict { len: Seq(2) }).await;
    let mut corrected = story.finish(attempt(1, 1));
    corrected.op = late.op;
    probe.done(corrected.clone()).await;
    probe.refused(corrected, AGAIN).await;
}

/// Another commit at the same place is a conflict, not a duplicate.
pub async fn another_name_is_another_commit(probe: Probe) {
    let mut story = probe.begin("r").await;
    let commit = story.finish(attempt(0, 1));
    probe.done(commit.clone()).await;
    let other = vastflow_store::Commit { op: fixture::op(), ..commit };
    probe.refused(other, Committed::Conflict { len: Seq(2) }).await;
}
