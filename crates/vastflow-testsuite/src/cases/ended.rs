//! Inner scopes that have ended. A store may keep them elsewhere than those that go on; nobody must notice.

use crate::fixture::{self, BOB, Story, T0, attempt, inner, new_task};
use crate::probe::{ALL, Probe};
use vastflow_core::{Event, RunOutcome, ScopeId, Seq, Task};
use vastflow_store::{Claimed, Commit, Committed, Control, ControlWord, Durability};

const RUNNING: ControlWord = ControlWord { control: Control::Running, revision: 0 };

/// A run with nothing to claim until it is opened again.
async fn quiet(probe: &Probe) -> Story {
    let mut story = Story::new(fixture::wide(9), "r");
    probe.put_plan(&story.plan).await;
    let mut commit = story.start();
    commit.queue.clear();
    probe.done(commit).await;
    story
}

/// A commit that ends a scope.
fn ending(scope: &ScopeId, len: u64) -> Commit {
    let outcome = RunOutcome::Succeeded;
    Commit { events: vec![Event::WordsIgnored, Event::RunEnded { outcome }], ..fixture::commit(scope, len) }
}

/// The same store later: opened again, if it can be.
async fn later(probe: Probe) -> Probe {
    let survives = probe.store().capabilities().durability >= Durability::Synced;
    if survives { probe.reopen().await } else { probe }
}

async fn send(probe: &Probe, story: &mut Story, node: u32, to: &ScopeId, kind: u32) {
    let mut commit = story.finish(attempt(node, 1));
    commit.messages.push(fixture::message(to, kind));
    probe.done(commit).await;
}

async fn deliver(probe: &Probe, scope: &ScopeId, len: u64) -> Claimed {
    let tasks = probe.claim_as(BOB, T0, 0).await.tasks;
    let [claimed] = tasks.as_slice() else { panic!("one delivery: {tasks:#?}") };
    assert_eq!((&claimed.scope, claimed.task, claimed.len), (scope, Task::Deliver, Seq(len)));
    claimed.clone()
}

async fn settle(probe: &Probe, claimed: &Claimed, event: Event) {
    let mut commit = fixture::commit(&claimed.scope, claimed.len.0);
    commit.settle.push((claimed.task, claimed.token));
    commit.events = vec![event];
    probe.done(commit).await;
}

/// What a scope recorded can be read when it has ended, in pages too.
pub async fn its_journal_can_be_read(probe: Probe) {
    quiet(&probe).await;
    let scopes: Vec<ScopeId> = (0..40).map(|key| inner("r", &key.to_string())).collect();
    for scope in &scopes {
        probe.done(fixture::commit(scope, 0)).await;
        probe.done(ending(scope, 1)).await;
    }
    let before: Vec<_> = probe.history(&scopes[7]).await;
    assert_eq!(before.len(), 3);
    let probe = later(probe).await;
    for scope in &scopes {
        assert_eq!(probe.history(scope).await, before);
        assert_eq!(probe.tasks(scope).await, []);
    }
    for after in 0..4 {
        let page = probe.store().history(&scopes[7], Seq(after), 2).await.unwrap();
        let after = usize::try_from(after).unwrap();
        assert_eq!(page, before[after..before.len().min(after + 2)]);
    }
    assert!(probe.history(&inner("r", "40")).await.is_empty());
}

/// A repetition is recognised, and what comes too late conflicts, as long as the run is there.
pub async fn its_journal_is_still_guarded(probe: Probe) {
    quiet(&probe).await;
    let item = inner("r", "1");
    let (first, last) = (fixture::commit(&item, 0), ending(&item, 1));
    probe.done(first.clone()).await;
    probe.done(last.clone()).await;
    let mut probe = probe;
    for _ in 0..2 {
        for again in [&first, &last, &first] {
            probe.refused(again.clone(), Committed::Duplicate { control: RUNNING }).await;
        }
        probe.refused(fixture::commit(&item, 0), Committed::Conflict { len: Seq(3) }).await;
        probe.refused(fixture::commit(&item, 9), Committed::Conflict { len: Seq(3) }).await;
        probe = later(probe).await;
    }
    probe.done(fixture::commit(&item, 3)).await;
    assert_eq!(probe.history(&item).await.len(), 4);
}

/// A message to a scope that has ended is delivered as to any other.
pub async fn it_hears_what_it_is_told(probe: Probe) {
    let mut story = quiet(&probe).await;
    let item = inner("r", "1");
    probe.done(ending(&item, 0)).await;
    let mut probe = probe;
    for node in 0..3 {
        send(&probe, &mut story, node, &item, 1).await;
        let claimed = deliver(&probe, &item, 2 + u64::from(node)).await;
        settle(&probe, &claimed, Event::WordsIgnored).await;
        assert_eq!(probe.tasks(&item).await, []);
        probe = later(probe).await;
        assert!(probe.claim(0).await.is_empty());
    }
    assert_eq!(probe.history(&item).await.len(), 5);
}

/// A message that waits in a scope that has ended waits there still when the store is opened again.
pub async fn what_waits_for_it_stays(probe: Probe) {
    let mut story = quiet(&probe).await;
    let item = inner("r", "1");
    probe.done(ending(&item, 0)).await;
    send(&probe, &mut story, 0, &item, 1).await;
    let probe = later(probe).await;
    send(&probe, &mut story, 1, &item, 2).await;
    let kinds: Vec<_> = deliver(&probe, &item, 2).await.messages.iter().map(|(_, message)| message.kind).collect();
    assert_eq!(kinds, [1, 2]);
}

/// A scope may be opened again when it has ended, have tasks, and end again.
pub async fn it_may_be_opened_again(probe: Probe) {
    let mut story = quiet(&probe).await;
    let item = inner("r", "1");
    probe.done(ending(&item, 0)).await;
    let mut probe = later(probe).await;
    for round in 0..2 {
        let len = 2 + 4 * u64::from(round);
        send(&probe, &mut story, round, &item, 1).await;
        let claimed = deliver(&probe, &item, len).await;
        settle(&probe, &claimed, Event::UndoRequested).await;
        let mut commit = fixture::commit(&item, len + 1);
        commit.queue.push(new_task(attempt(0, 1)));
        probe.done(commit).await;
        let claimed = probe.claim(ALL).await;
        let claimed = claimed.into_iter().find(|claimed| claimed.scope == item).expect("its task");
        let mut end = ending(&item, len + 2);
        end.settle.push((claimed.task, claimed.token));
        probe.done(end).await;
        probe = later(probe).await;
        assert_eq!(probe.history(&item).await.len() as u64, len + 4);
        assert_eq!(probe.tasks(&item).await, []);
    }
}

/// It sends messages like any other, and its run may end.
pub async fn its_run_goes_on(probe: Probe) {
    let mut story = probe.begin("r").await;
    for key in 0..20 {
        let item = inner("r", &key.to_string());
        let mut end = ending(&item, 0);
        end.messages.push(fixture::message(&story.scope, key));
        probe.done(end).await;
    }
    let probe = later(probe).await;
    let tasks = probe.claim(ALL).await;
    let mail = tasks.iter().find(|claimed| claimed.task == Task::Deliver).expect("a delivery");
    assert_eq!((&mail.scope, mail.messages.len()), (&story.scope, 20));
    for node in 0..3 {
        probe.done(story.finish(attempt(node, 1))).await;
    }
    let probe = later(probe).await;
    assert!(probe.row(story.scope.run()).await.summary.status.is_final());
    assert_eq!(probe.history(&inner("r", "7")).await.len(), 2);
    probe.refused(fixture::commit(&inner("r", "7"), 0), Committed::Conflict { len: Seq(2) }).await;
}
