//! The queue: what is handed out, in which order, and what is there at all.

use crate::fixture::{self, ALICE, BOB, LEASE, Story, T0, after, attempt};
use crate::probe::{ALL, Probe};
use std::collections::BTreeSet;
use std::time::Duration;
use vastflow_core::{RunInfo, ScopeId, Seq, Task, Timestamp};
use vastflow_store::{Claim, ClaimToken, Claimed, Control, NewTask};

/// The first come is the first served, over all runs.
pub async fn first_come_first_served(probe: Probe) {
    for run in ["b", "a", "c"] {
        probe.begin(run).await;
    }
    assert_eq!(runs_of(&probe.claim(ALL).await), ["b", "a", "c"]);
}

fn runs_of(tasks: &[Claimed]) -> Vec<&str> {
    tasks.iter().map(|claimed| claimed.scope.run().as_str()).collect()
}

/// Higher priority goes first; among equals, the first come.
pub async fn higher_priority_goes_first(probe: Probe) {
    for (run, priority) in [("a", 0), ("b", -3), ("c", 9), ("d", 0), ("e", 9)] {
        let mut story = Story::new(fixture::plan(), run);
        story.info = RunInfo { priority, ..RunInfo::default() };
        probe.begin_with(story).await;
    }
    assert_eq!(runs_of(&probe.claim(2).await), ["c", "e"]);
    assert_eq!(runs_of(&probe.claim(ALL).await), ["a", "d", "b"]);
}

/// Priority counts across plans.
pub async fn priority_counts_across_plans(probe: Probe) {
    for (run, flow, priority) in [("a", "x", 0), ("b", "y", 1), ("c", "x", 2), ("d", "z", 1)] {
        let mut story = Story::new(fixture::chain(flow), run);
        story.info = RunInfo { priority, ..RunInfo::default() };
        probe.begin_with(story).await;
    }
    assert_eq!(runs_of(&probe.claim(ALL).await), ["c", "b", "d", "a"]);
}

/// A claim gives at most as many as are asked for.
pub async fn a_claim_keeps_to_its_maximum(probe: Probe) {
    probe.begin_with(Story::new(fixture::wide(5), "r")).await;
    assert_eq!(probe.claim(0).await.len(), 0);
    assert_eq!(probe.claim(2).await.len(), 2);
    assert_eq!(probe.claim(2).await.len(), 2);
    assert_eq!(probe.claim(2).await.len(), 1);
    assert_eq!(probe.claim(2).await.len(), 0);
}

/// A claim says whether it left something: not what is claimed, nor what others are asked for, nor what is not due.
pub async fn a_claim_says_whether_there_is_more(probe: Probe) {
    assert!(!probe.claim_at(T0, 0).await.more);
    let mut story = probe.begin_with(Story::new(fixture::wide(3), "r")).await;
    assert!(probe.claim_at(T0, 0).await.more);
    assert!(probe.claim_at(T0, 1).await.more);
    let claims = probe.claim_at(T0, 2).await;
    assert!(!claims.more, "all are claimed");
    probe.done(story.fail(&claims.tasks[0])).await;
    assert!(!probe.claim_at(T0, 0).await.more, "a retry is not due");
    assert!(probe.claim_at(after(1), 0).await.more, "now it is");
    let except = vec![story.plan.hash()].into();
    let ask = Claim { except, ..Claim::new(BOB, 0, LEASE, after(1)) };
    assert!(!probe.store().claim(ask).await.unwrap().more, "not for a worker without the code");
}

/// Tasks of plans that the worker has no code for stay for others.
pub async fn excepted_plans_stay_where_they_are(probe: Probe) {
    let x = probe.begin_with(Story::new(fixture::chain("x"), "rx")).await;
    let y = probe.begin_with(Story::new(fixture::chain("y"), "ry")).await;
    let except = |plans: &[vastflow_core::PlanHash]| plans.to_vec().into();
    let ask = |worker, plans| Claim { except: plans, ..Claim::new(worker, ALL, LEASE, T0) };
    let none = probe.store().claim(ask(ALICE, except(&[x.plan.hash(), y.plan.hash()]))).await.unwrap();
    assert_eq!(runs_of(&none.tasks), Vec::<&str>::new());
    let some = probe.store().claim(ask(ALICE, except(&[x.plan.hash()]))).await.unwrap();
    assert_eq!(runs_of(&some.tasks), ["ry"]);
    let rest = probe.store().claim(ask(BOB, except(&[y.plan.hash()]))).await.unwrap();
    assert_eq!(runs_of(&rest.tasks), ["rx"]);
}

/// A claim tells what its worker needs to know.
pub async fn a_claim_tells_what_is_needed(probe: Probe) {
    let mut story = probe.begin_with(Story::new(fixture::wide(2), "r")).await;
    probe.done(story.finish(attempt(0, 1))).await;
    let claimed = probe.claim_one().await;
    let wanted = Claimed {
        scope: story.scope.clone(),
        task: attempt(1, 1),
        token: ClaimToken::FIRST,
        lane: None,
        crashes: 0,
        plan: story.plan.hash(),
        len: Seq(2),
        control: Default::default(),
        messages: Vec::new(),
    };
    assert_eq!(claimed, wanted);
}

/// What is claimed is not handed out again.
pub async fn a_claimed_task_is_not_handed_out_again(probe: Probe) {
    let story = probe.begin("r").await;
    let claimed = probe.claim_one().await;
    assert!(probe.claim_as(BOB, T0, ALL).await.tasks.is_empty());
    assert!(probe.claim(ALL).await.is_empty(), "not to the same worker either");
    assert_eq!(probe.task(&story.scope, claimed.task).await.unwrap().by, Some(ALICE));
}

/// Many that claim at once get each task once, and all of them.
pub async fn claims_at_once_share_the_tasks(probe: Probe) {
    probe.begin_with(Story::new(fixture::wide(60), "r")).await;
    let workers: Vec<_> = (0..6).map(|worker| tokio::spawn(claim_all(probe.clone(), worker))).collect();
    let mut seen = Vec::new();
    for worker in workers {
        seen.extend(worker.await.expect("a worker"));
    }
    assert_eq!(seen.len(), 60, "no task is handed out twice");
    assert_eq!(seen.into_iter().collect::<BTreeSet<Task>>().len(), 60, "every task is handed out");
}

async fn claim_all(probe: Probe, worker: u64) -> Vec<Task> {
    let mut mine = Vec::new();
    loop {
        let got = probe.claim_as(vastflow_store::WorkerId(worker), T0, 3).await.tasks;
        if got.is_empty() {
            return mine;
        }
        mine.extend(got.into_iter().map(|claimed| claimed.task));
    }
}

/// Each claim of a task has a token one higher than the one before.
pub async fn tokens_rise_by_one(probe: Probe) {
    let story = probe.begin("r").await;
    assert_eq!(probe.task(&story.scope, attempt(0, 1)).await.unwrap().token, ClaimToken(0));
    for token in 1..=4 {
        let claimed = probe.claim_one().await;
        assert_eq!(claimed.token, ClaimToken(token));
        probe.release(&[claimed]).await;
    }
    probe.claim_at(T0, ALL).await;
    probe.sweep(after(60)).await;
    assert_eq!(probe.claim_as(BOB, after(60), ALL).await.tasks[0].token, ClaimToken(6));
}

/// Queueing a task that exists changes nothing: not its due time, its token, nor who has it.
pub async fn a_task_that_exists_stays_as_it_is(probe: Probe) {
    let mut story = probe.begin_with(Story::new(fixture::wide(4), "r")).await;
    let claimed = probe.claim(1).await.remove(0);
    let before = probe.tasks(&story.scope).await;
    let later = |node| NewTask::new(attempt(node, 1), after(99));
    let mut commit = story.finish(attempt(3, 1));
    commit.queue = vec![later(0), later(1), NewTask { keep: true, ..later(2) }];
    probe.done(commit).await;
    let wanted: Vec<_> = before.into_iter().filter(|view| view.task != attempt(3, 1)).collect();
    assert_eq!(probe.tasks(&story.scope).await, wanted);
    probe.done(story.answer(&claimed)).await;
    let rest: Vec<_> = probe.claim(ALL).await.iter().map(|claimed| claimed.task).collect();
    assert_eq!(rest, [attempt(1, 1), attempt(2, 1)], "each once, at once, in the old order");
}

/// What was answered may be queued again, and is then a new task.
pub async fn a_settled_task_may_be_queued_again(probe: Probe) {
    let mut story = probe.begin_with(Story::new(fixture::wide(2), "r")).await;
    let claimed = probe.claim(1).await.remove(0);
    let mut commit = story.answer(&claimed);
    commit.queue.push(fixture::new_task(claimed.task));
    probe.done(commit).await;
    let tasks: Vec<_> = probe.claim(ALL).await.iter().map(|claimed| (claimed.task, claimed.token)).collect();
    assert_eq!(tasks, [(attempt(1, 1), ClaimToken::FIRST), (attempt(0, 1), ClaimToken::FIRST)]);
}

/// Obsolete tasks are gone: waiting ones, claimed ones, and timers.
pub async fn obsolete_tasks_are_gone(probe: Probe) {
    let mut story = probe.begin_with(Story::new(fixture::wide(3), "r")).await;
    let mut timers = story.finish(attempt(2, 1));
    let deadline = Task::NodeDeadline { node: vastflow_core::NodeIx(0) };
    timers.queue = vec![due(deadline, after(9)), due(Task::RunDeadline, after(5))];
    probe.done(timers).await;
    probe.claim(1).await;
    let mut commit = story.finish(attempt(0, 1));
    commit.obsolete.extend([attempt(1, 1), deadline, Task::RunDeadline]);
    probe.done(commit).await;
    nothing_left(&probe, &story.scope).await;
}

fn due(task: Task, due: Timestamp) -> NewTask {
    NewTask::new(task, due)
}

async fn nothing_left(probe: &Probe, scope: &ScopeId) {
    assert_eq!(probe.tasks(scope).await, []);
    let claims = probe.claim_at(after(100), ALL).await;
    assert_eq!((claims.tasks, claims.next_due), (Vec::new(), None));
    probe.sweep(after(1_000)).await;
    assert_eq!(probe.claim_as(BOB, after(1_000), ALL).await.tasks, [], "not even after a sweep");
}

/// A timer that had come due, but was not claimed, can be made obsolete.
pub async fn an_obsolete_timer_that_was_due_is_gone(probe: Probe) {
    let mut story = probe.begin_with(Story::new(fixture::wide(2), "r")).await;
    let mut commit = story.finish(attempt(0, 1));
    commit.queue.push(due(Task::RunDeadline, after(5)));
    probe.done(commit).await;
    probe.claim_at(after(6), 0).await;
    let mut end = story.finish(attempt(1, 1));
    end.obsolete.push(Task::RunDeadline);
    probe.done(end).await;
    nothing_left(&probe, &story.scope).await;
}

/// Making obsolete what does not exist is no error.
pub async fn obsolete_may_name_what_is_not_there(probe: Probe) {
    let mut story = probe.begin("r").await;
    let mut commit = story.finish(attempt(0, 1));
    commit.obsolete.extend([attempt(9, 9), Task::RunDeadline, Task::Deliver]);
    probe.done(commit).await;
    assert_eq!(probe.claim_one().await.task, attempt(1, 1));
}

/// What one commit makes obsolete and queues exists afterwards.
pub async fn obsolete_comes_before_queue(probe: Probe) {
    let mut story = probe.begin_with(Story::new(fixture::wide(2), "r")).await;
    probe.claim(ALL).await;
    let mut commit = story.finish(attempt(0, 1));
    commit.obsolete.push(attempt(1, 1));
    commit.queue.push(fixture::new_task(attempt(1, 1)));
    probe.done(commit).await;
    let view = probe.task(&story.scope, attempt(1, 1)).await.unwrap();
    assert_eq!((view.token, view.by), (ClaimToken(0), None), "it is a new task");
    assert_eq!(probe.claim_one().await.task, attempt(1, 1));
}

/// New work is hinted at.
pub async fn new_work_is_hinted_at(probe: Probe) {
    let mut hints = probe.store().wakeups();
    probe.begin("r").await;
    hinted(&mut hints, "a start").await;
}

/// So is work that comes back: released, swept, resumed.
pub async fn work_that_comes_back_is_hinted_at(probe: Probe) {
    let mut story = probe.begin_with(Story::new(fixture::wide(3), "r")).await;
    let mut tasks = probe.claim(2).await;
    let mut hints = probe.store().wakeups();
    probe.release(&[tasks.remove(0)]).await;
    hinted(&mut hints, "a release").await;
    probe.sweep(after(60)).await;
    hinted(&mut hints, "a sweep").await;
    let mut hold = story.finish(attempt(0, 1));
    hold.control = Some(Control::Held);
    probe.done(hold).await;
    assert!(probe.claim_at(after(60), ALL).await.tasks.is_empty());
    let mut hints = probe.store().wakeups();
    let mut resume = story.finish(attempt(1, 1));
    resume.control = Some(Control::Running);
    probe.done(resume).await;
    hinted(&mut hints, "a resume").await;
}

async fn hinted(hints: &mut vastflow_store::Wakeups, what: &str) {
    let hint = tokio::time::timeout(Duration::from_secs(60), hints.next()).await;
    assert!(hint.is_ok(), "no hint after {what}");
}
