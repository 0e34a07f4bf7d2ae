//! Commits that are not well formed: answered `Invalid`, and nothing changes.

use crate::fixture::{self, Story, attempt, inner, root};
use crate::probe::Probe;
use vastflow_store::Control;

/// A commit has at least one event.
pub async fn a_commit_without_events(probe: Probe) {
    let mut story = probe.begin("r").await;
    let mut commit = story.finish(attempt(0, 1));
    commit.events.clear();
    probe.invalid(commit).await;
}

/// A message stays in its run.
pub async fn a_message_to_another_run(probe: Probe) {
    let mut story = probe.begin("r").await;
    probe.begin("other").await;
    let mut commit = story.finish(attempt(0, 1));
    commit.messages.push(fixture::message(&inner("r", "1"), 1));
    commit.messages.push(fixture::message(&root("other"), 1));
    probe.invalid(commit).await;
    assert!(probe.task(&root("other"), vastflow_core::Task::Deliver).await.is_none());
    assert!(probe.tasks(&inner("r", "1")).await.is_empty(), "the good message of a bad commit is not sent");
}

/// Only a root scope changes the control word.
pub async fn a_control_word_from_an_inner_scope(probe: Probe) {
    probe.begin("r").await;
    let mut commit = fixture::commit(&inner("r", "1"), 0);
    commit.control = Some(Control::Held);
    probe.invalid(commit).await;
}

/// Only a root scope changes what lists show.
pub async fn a_summary_from_an_inner_scope(probe: Probe) {
    let story = probe.begin("r").await;
    let mut commit = fixture::commit(&inner("r", "1"), 0);
    commit.summary = story.state.summary(&story.plan).map(std::sync::Arc::new);
    probe.invalid(commit).await;
}

/// A run begins with a summary.
pub async fn a_first_commit_without_a_summary(probe: Probe) {
    let mut story = Story::new(fixture::plan(), "r");
    probe.put_plan(&story.plan).await;
    let mut commit = story.start();
    commit.summary = None;
    probe.invalid(commit).await;
    assert_eq!(probe.store().run(story.scope.run()).await.unwrap(), None);
}

/// A run begins with its root scope.
pub async fn an_inner_scope_of_a_run_that_has_not_begun(probe: Probe) {
    probe.invalid(fixture::commit(&inner("r", "1"), 0)).await;
    assert_eq!(probe.store().run(&fixture::run_id("r")).await.unwrap(), None);
}

/// After a malformed commit the well-formed one takes effect.
pub async fn the_next_commit_is_none_the_worse(probe: Probe) {
    let mut story = probe.begin("r").await;
    let good = story.finish(attempt(0, 1));
    let mut bad = good.clone();
    bad.events.clear();
    probe.invalid(bad).await;
    probe.done(good).await;
}

/// A run follows a plan that the store has: else nobody could go on with it after a crash.
pub async fn a_start_whose_plan_is_not_there(probe: Probe) {
    let mut story = Story::new(fixture::chain("never-put"), "r");
    probe.invalid(story.start()).await;
}
