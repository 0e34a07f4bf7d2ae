//! Journals: what is appended, by whom, and what is read back.

use crate::fixture::Story;
use crate::fixture::{self, T0, after, attempt, inner, root};
use crate::probe::{ALL, Probe};
use std::sync::Arc;
use vastflow_core::{RunInfo, Seq};
use vastflow_store::{Commit, Committed, Control};

/// Events come back in order, numbered from 0, with the time of their commit.
pub async fn events_come_back_as_recorded(probe: Probe) {
    let mut story = Story::new(fixture::plan(), "r");
    probe.put_plan(&story.plan).await;
    let start = story.start();
    story.now = after(7);
    let next = story.finish(attempt(0, 1));
    let wanted: Vec<_> = start.events.iter().chain(&next.events).cloned().collect();
    probe.done(start).await;
    probe.done(next).await;
    let history = probe.history(&story.scope).await;
    assert_eq!(history.iter().map(|recorded| recorded.event.clone()).collect::<Vec<_>>(), wanted);
    assert_eq!(history.iter().map(|recorded| recorded.seq.0).collect::<Vec<_>>(), [0, 1]);
    assert_eq!(history.iter().map(|recorded| recorded.at).collect::<Vec<_>>(), [T0, after(7)]);
}

/// Keys of inner scopes hold any character, and those of scopes within scopes may be long together.
pub async fn keys_hold_any_character_and_may_be_long(probe: Probe) {
    let story = probe.begin("r").await;
    let node = fixture::name("each");
    let mut deep = story.scope.clone();
    let strange = ["a\0b", "a%00b", "", "]/each[", "\u{1}\n\\'\""];
    let mut scopes: Vec<_> = strange.map(|key| deep.child(&node, key)).into();
    for _ in 0..16 {
        deep = deep.child(&node, &"/".repeat(256));
        scopes.push(deep.clone());
    }
    scopes.push(deep.child(&node, "other"));
    for scope in &scopes {
        let mut commit = fixture::commit(scope, 0);
        commit.messages = vec![fixture::message(scope, 1)];
        probe.done(commit).await;
    }
    let claimed = probe.claim(0).await;
    assert_eq!(claimed.iter().map(|one| &one.scope).collect::<Vec<_>>(), scopes.iter().collect::<Vec<_>>());
    probe.release(&claimed).await;
    let claimed = probe.claim(0).await;
    for (scope, claimed) in scopes.iter().zip(&claimed) {
        assert_eq!(claimed.messages[0].0, *scope);
        let mut commit = fixture::commit(scope, 1);
        commit.settle = vec![(claimed.task, claimed.token)];
        probe.done(commit).await;
        assert_eq!((probe.history(scope).await.len(), probe.tasks(scope).await.len()), (2, 0), "{scope}");
    }
}

/// `after` and `limit` cut a journal anywhere, also inside what one commit appended.
pub async fn history_pages_across_commits(probe: Probe) {
    let mut story = probe.begin_with(Story::new(fixture::wide(9), "r")).await;
    for nodes in [0..1, 1..4, 4..6, 6..9] {
        let several = nodes.map(|node| story.finish(attempt(node, 1))).collect();
        probe.done(fixture::merged(several)).await;
    }
    let all = probe.history(&story.scope).await;
    assert_eq!(all.len(), 11);
    for from in 0..=12 {
        for limit in 0..=12 {
            let page = probe.store().history(&story.scope, Seq(from as u64), limit).await.unwrap();
            let wanted: Vec<_> = all.iter().skip(from).take(limit).cloned().collect();
            assert_eq!(page, wanted, "history after {from}, limit {limit}");
        }
    }
}

/// A journal that does not exist is empty, and so is what comes after the end of one.
pub async fn a_journal_that_is_not_there_is_empty(probe: Probe) {
    let story = probe.begin("r").await;
    assert!(probe.history(&root("other")).await.is_empty());
    assert!(probe.history(&inner("r", "1")).await.is_empty());
    assert!(probe.store().history(&story.scope, Seq(5), ALL).await.unwrap().is_empty());
    assert!(probe.tasks(&root("other")).await.is_empty());
}

/// A commit that expects a shorter journal conflicts, is told the length, and changes nothing.
pub async fn a_late_commit_conflicts(probe: Probe) {
    let mut story = probe.begin("r").await;
    let late = story.clone().finish(attempt(0, 1));
    probe.done(story.finish(attempt(0, 1))).await;
    probe.refused(late, Committed::Conflict { len: Seq(2) }).await;
}

/// A commit that expects a longer journal conflicts as well.
pub async fn a_commit_from_the_future_conflicts(probe: Probe) {
    let mut story = probe.begin("r").await;
    let mut early = story.finish(attempt(0, 1));
    early.expected = Seq(2);
    probe.refused(early, Committed::Conflict { len: Seq(1) }).await;
    let mut nowhere = fixture::start_commit("nowhere");
    nowhere.expected = Seq(1);
    probe.refused(nowhere, Committed::Conflict { len: Seq::ZERO }).await;
}

/// A conflict takes back nothing of what the commit carries: no control word, no messages, no tasks.
pub async fn a_conflict_is_all_or_nothing(probe: Probe) {
    let mut story = probe.begin("r").await;
    let mut late = story.clone().finish(attempt(0, 1));
    late.control = Some(Control::Held);
    late.messages.push(fixture::message(&inner("r", "1"), 1));
    late.queue.push(fixture::kept_task(attempt(9, 9)));
    probe.done(story.finish(attempt(0, 1))).await;
    probe.refused(late, Committed::Conflict { len: Seq(2) }).await;
}

/// An id names one run: another start of the same id conflicts.
pub async fn a_second_start_of_an_id_conflicts(probe: Probe) {
    let story = probe.begin("r").await;
    let mut other = Story::new(fixture::chain("other"), "r");
    other.info = RunInfo { priority: 5, ..RunInfo::default() };
    probe.put_plan(&other.plan).await;
    probe.refused(other.start(), Committed::Conflict { len: Seq(1) }).await;
    assert_eq!(probe.row(story.scope.run()).await.summary.started.flow, fixture::name("chain"));
}

/// An id stays taken after its run has ended.
pub async fn an_ended_run_keeps_its_id(probe: Probe) {
    let mut story = probe.begin_with(Story::new(fixture::wide(1), "r")).await;
    probe.done(story.finish(attempt(0, 1))).await;
    probe.refused(fixture::start_commit("r"), Committed::Conflict { len: story.state.len() }).await;
}

/// Each scope of a run has a journal of its own, with a length of its own.
pub async fn scopes_have_journals_of_their_own(probe: Probe) {
    let story = probe.begin("r").await;
    let (one, two) = (inner("r", "1"), inner("r", "2"));
    probe.done(fixture::commit(&one, 0)).await;
    probe.done(fixture::commit(&one, 1)).await;
    probe.done(fixture::commit(&two, 0)).await;
    probe.refused(fixture::commit(&two, 0), Committed::Conflict { len: Seq(1) }).await;
    for (scope, len) in [(&story.scope, 1), (&one, 2), (&two, 1)] {
        assert_eq!(probe.history(scope).await.len(), len, "the journal of {scope}");
    }
    assert_eq!(probe.row(story.scope.run()).await.len, Seq(1), "a row has the length of the root journal");
}

/// What took effect comes back without its events; what did not comes back whole.
pub async fn the_commit_comes_back(probe: Probe) {
    let mut story = probe.begin("r").await;
    let late = story.clone().finish(attempt(0, 1));
    let good = story.finish(attempt(0, 1));
    let (back, _) = probe.batch(vec![good.clone()]).await.remove(0);
    assert!(back.events.is_empty(), "the events are the journal's now");
    assert_eq!((back.op, &back.scope, &back.queue), (good.op, &good.scope, &good.queue));
    let (back, _) = probe.batch(vec![late.clone()]).await.remove(0);
    assert_eq!(back, late, "a refused commit comes back whole");
}

/// Of many that append at the same position, one wins.
pub async fn one_writer_wins_each_position(probe: Probe) {
    let mut story = probe.begin_with(Story::new(fixture::wide(12), "r")).await;
    for node in 0..12 {
        let racers: Vec<Commit> = (0..6).map(|_| story.clone().finish(attempt(node, 1))).collect();
        let len = story.state.len();
        story.finish(attempt(node, 1));
        let answers = race(&probe, racers).await;
        let won = answers.iter().filter(|answer| matches!(answer, Committed::Done { .. })).count();
        assert_eq!(won, 1, "winners at {len}: {answers:?}");
        let lost = Committed::Conflict { len: story.state.len() };
        assert_eq!(answers.iter().filter(|answer| **answer == lost).count(), 5, "losers at {len}: {answers:?}");
    }
    assert_eq!(probe.history(&story.scope).await.len() as u64, story.state.len().0);
}

async fn race(probe: &Probe, racers: Vec<Commit>) -> Vec<Committed> {
    let racing: Vec<_> = racers
        .into_iter()
        .map(|commit| {
            let probe = probe.clone();
            tokio::spawn(async move { probe.ask(commit).await })
        })
        .collect();
    let mut answers = Vec::new();
    for racer in racing {
        answers.push(racer.await.expect("a racer"));
    }
    answers
}

/// Writers that read again after a conflict all get their word in, and nothing is recorded twice.
pub async fn persistent_writers_all_get_in(probe: Probe) {
    let story = probe.begin_with(Story::new(fixture::wide(8), "r")).await;
    let writers: Vec<_> =
        (0..8).map(|node| tokio::spawn(persist(probe.clone(), Arc::clone(&story.plan), node))).collect();
    for writer in writers {
        writer.await.expect("a writer");
    }
    let end = Story::load(Arc::clone(&story.plan), "r", &probe.history(&story.scope).await);
    assert!(end.state.status().is_final(), "all nodes are done: {:?}", end.state);
}

async fn persist(probe: Probe, plan: Arc<vastflow_core::Plan>, node: u32) {
    loop {
        let mut story = Story::load(Arc::clone(&plan), "r", &probe.history(&root("r")).await);
        if let Committed::Done { .. } = probe.ask(story.finish(attempt(node, 1))).await {
            return;
        }
    }
}
