//! The control word: what may go on in a run, seen by every commit of any of its scopes.

use crate::fixture::{self, BOB, Story, T0, after, attempt, inner};
use crate::probe::{ALL, Probe};
use vastflow_core::{NodeIx, Seq, Task};
use vastflow_store::{Committed, Control, ControlWord};

async fn say(probe: &Probe, story: &mut Story, task: Task, word: Control) -> ControlWord {
    let mut commit = story.finish(task);
    commit.control = Some(word);
    probe.done(commit).await
}

const fn word(control: Control, revision: u32) -> ControlWord {
    ControlWord { control, revision }
}

/// A run begins running, and the word comes back with each commit; it counts its changes.
pub async fn the_word_comes_back(probe: Probe) {
    let mut story = Story::new(fixture::wide(6), "r");
    probe.put_plan(&story.plan).await;
    assert_eq!(probe.done(story.start()).await, word(Control::Running, 0));
    let words = [Control::Held, Control::Running, Control::Stopping, Control::Killed];
    for (at, control) in (0..).zip(words) {
        assert_eq!(say(&probe, &mut story, attempt(at, 1), control).await, word(control, at + 1));
    }
    assert_eq!(probe.done(story.finish(attempt(4, 1))).await, word(Control::Killed, 4));
    assert_eq!(probe.row(story.scope.run()).await.control, word(Control::Killed, 4));
}

/// Saying what holds already is no change.
pub async fn the_same_word_is_no_change(probe: Probe) {
    let mut story = probe.begin_with(Story::new(fixture::wide(3), "r")).await;
    assert_eq!(say(&probe, &mut story, attempt(0, 1), Control::Held).await, word(Control::Held, 1));
    assert_eq!(say(&probe, &mut story, attempt(1, 1), Control::Held).await, word(Control::Held, 1));
}

/// A run may begin with a word.
pub async fn a_run_may_begin_held(probe: Probe) {
    let mut story = Story::new(fixture::plan(), "r");
    probe.put_plan(&story.plan).await;
    let mut commit = story.start();
    commit.control = Some(Control::Held);
    commit.queue[0].keep = true;
    assert_eq!(probe.done(commit).await.control, Control::Held);
    assert!(probe.claim(ALL).await.is_empty());
}

/// Every scope of the run obeys: a commit of an inner scope is told, and its tasks are not handed out.
pub async fn every_scope_sees_the_word(probe: Probe) {
    let mut story = probe.begin("r").await;
    say(&probe, &mut story, attempt(0, 1), Control::Held).await;
    let item = inner("r", "1");
    let mut commit = fixture::commit(&item, 0);
    commit.queue = vec![fixture::new_task(attempt(5, 1)), fixture::kept_task(attempt(6, 1))];
    assert_eq!(probe.done(commit).await, word(Control::Held, 1));
    assert!(probe.claim(ALL).await.is_empty());
    say(&probe, &mut story, attempt(1, 1), Control::Running).await;
    assert_eq!(probe.done(fixture::commit(&item, 1)).await, word(Control::Running, 2));
    assert_eq!(probe.claim(ALL).await.len(), 3);
}

/// In one batch, what comes after the word sees it, and what comes before does not.
pub async fn a_batch_sees_the_word_from_its_place_on(probe: Probe) {
    let mut story = probe.begin("r").await;
    let mut hold = story.finish(attempt(0, 1));
    hold.control = Some(Control::Held);
    let commits = vec![fixture::commit(&inner("r", "1"), 0), hold, fixture::commit(&inner("r", "2"), 0)];
    let (running, held) = (word(Control::Running, 0), word(Control::Held, 1));
    let wanted = [running, held, held].map(|control| Committed::Done { control });
    assert_eq!(probe.answers(commits).await, wanted);
}

/// Nothing of a held run is claimed, while other runs go on.
pub async fn nothing_is_claimed_while_held(probe: Probe) {
    let mut story = probe.begin_with(Story::new(fixture::wide(3), "r")).await;
    let other = probe.begin("other").await;
    say(&probe, &mut story, attempt(0, 1), Control::Held).await;
    let tasks = probe.claim(ALL).await;
    assert_eq!(tasks.iter().map(|claimed| &claimed.scope).collect::<Vec<_>>(), [&other.scope]);
    assert_eq!(probe.tasks(&story.scope).await.len(), 2, "its tasks are still there");
}

/// Nothing of a killed run is claimed.
pub async fn nothing_is_claimed_when_killed(probe: Probe) {
    let mut story = probe.begin_with(Story::new(fixture::wide(3), "r")).await;
    say(&probe, &mut story, attempt(0, 1), Control::Killed).await;
    assert!(probe.claim(ALL).await.is_empty());
}

/// The tasks of a stopping run are claimed, and the claim says so.
pub async fn a_stopping_run_is_claimed(probe: Probe) {
    let mut story = probe.begin_with(Story::new(fixture::wide(2), "r")).await;
    say(&probe, &mut story, attempt(0, 1), Control::Stopping).await;
    assert_eq!(probe.claim_one().await.control, word(Control::Stopping, 1));
}

/// What was in hand when the run was held is still recorded, and still only by its holder.
pub async fn what_runs_is_still_recorded_while_held(probe: Probe) {
    let mut story = probe.begin_with(Story::new(fixture::wide(3), "r")).await;
    let tasks = probe.claim(1).await;
    say(&probe, &mut story, attempt(2, 1), Control::Held).await;
    assert_eq!(probe.done(story.answer(&tasks[0])).await, word(Control::Held, 1));
    assert_eq!(probe.row(story.scope.run()).await.len, Seq(3));
}

/// Resuming makes claimable what waits, each once; what is in hand and what is not due stays.
pub async fn resume_makes_exactly_those_claimable(probe: Probe) {
    let mut story = probe.begin_with(Story::new(fixture::wide(6), "r")).await;
    let in_hand = probe.claim(1).await.remove(0);
    let mut hold = story.finish(attempt(5, 1));
    hold.control = Some(Control::Held);
    hold.queue.push(vastflow_store::NewTask { due: after(50), ..fixture::new_task(Task::RunDeadline) });
    probe.done(hold).await;
    assert!(probe.claim(ALL).await.is_empty());
    say(&probe, &mut story, attempt(4, 1), Control::Running).await;
    let mut tasks: Vec<_> = probe.claim(ALL).await.into_iter().map(|claimed| claimed.task).collect();
    tasks.sort_unstable();
    assert_eq!(tasks, [1, 2, 3].map(|node| attempt(node, 1)));
    assert!(probe.claim(ALL).await.is_empty(), "each once");
    probe.done(story.answer(&in_hand)).await;
    assert_eq!(probe.claim_at(after(50), ALL).await.tasks[0].task, Task::RunDeadline);
}

/// A timer that comes due while the run is held waits for it to go on.
pub async fn timers_wait_while_held(probe: Probe) {
    let mut story = probe.begin_with(Story::new(fixture::timed(), "r")).await;
    say(&probe, &mut story, attempt(0, 1), Control::Held).await;
    assert!(probe.claim_at(after(30), ALL).await.tasks.is_empty());
    assert!(probe.claim_at(after(61), ALL).await.tasks.is_empty());
    let mut resume = story.finish(attempt(1, 1));
    resume.control = Some(Control::Running);
    resume.obsolete.retain(|task| *task != Task::RunDeadline);
    probe.done(resume).await;
    let tasks: Vec<_> = probe.claim_at(after(61), ALL).await.tasks.iter().map(|claimed| claimed.task).collect();
    assert_eq!(tasks, [Task::RunDeadline]);
}

/// A task that was held and becomes obsolete does not come back.
pub async fn a_held_task_may_become_obsolete(probe: Probe) {
    let mut story = probe.begin_with(Story::new(fixture::timed(), "r")).await;
    let mut hold = fixture::commit(&story.scope, 1);
    hold.events = story.clone().finish(attempt(0, 1)).events;
    hold.control = Some(Control::Held);
    story.finish(attempt(0, 1));
    probe.done(hold).await;
    assert!(probe.claim_at(after(20), ALL).await.tasks.is_empty());
    let mut resume = story.finish(attempt(1, 1));
    resume.control = Some(Control::Running);
    resume.obsolete.extend([attempt(0, 1), Task::NodeDeadline { node: NodeIx(0) }]);
    probe.done(resume).await;
    assert!(probe.claim_at(after(90), ALL).await.tasks.is_empty());
    assert_eq!(probe.tasks(&story.scope).await, []);
}

/// What comes back to a held run, released or swept, waits as well, and its token rises as ever.
pub async fn what_comes_back_to_a_held_run_waits(probe: Probe) {
    let mut story = probe.begin_with(Story::new(fixture::wide(4), "r")).await;
    let tasks = probe.claim(2).await;
    say(&probe, &mut story, attempt(3, 1), Control::Held).await;
    probe.release(&tasks[..1]).await;
    probe.sweep(after(60)).await;
    assert!(probe.claim_as(BOB, after(60), ALL).await.tasks.is_empty());
    say(&probe, &mut story, attempt(2, 1), Control::Running).await;
    let mut back = probe.claim_as(BOB, after(60), ALL).await.tasks;
    back.sort_unstable_by_key(|claimed| claimed.task);
    assert_eq!(back.iter().map(|claimed| claimed.token.0).collect::<Vec<_>>(), [2, 2]);
}

/// Holding and resuming again and again loses nothing and doubles nothing.
pub async fn many_changes_lose_nothing(probe: Probe) {
    let mut story = probe.begin_with(Story::new(fixture::wide(12), "r")).await;
    for node in 0..10 {
        let control = if node % 2 == 0 { Control::Held } else { Control::Running };
        say(&probe, &mut story, attempt(node, 1), control).await;
        let claimed = probe.claim(1).await;
        assert_eq!(claimed.len() as u32, node % 2);
        probe.release(&claimed).await;
    }
    assert_eq!(probe.claim_at(T0, ALL).await.tasks.len(), 2);
}

/// A duplicate and a refused commit change no word.
pub async fn only_what_takes_effect_changes_the_word(probe: Probe) {
    let mut story = probe.begin_with(Story::new(fixture::wide(4), "r")).await;
    let mut hold = story.finish(attempt(0, 1));
    hold.control = Some(Control::Held);
    probe.done(hold.clone()).await;
    say(&probe, &mut story, attempt(1, 1), Control::Running).await;
    let now = word(Control::Running, 2);
    assert_eq!(probe.ask(hold).await, Committed::Duplicate { control: now });
    let mut late = fixture::commit(&story.scope, 1);
    late.control = Some(Control::Killed);
    probe.refused(late, Committed::Conflict { len: Seq(3) }).await;
    assert_eq!(probe.row(story.scope.run()).await.control, now);
}
