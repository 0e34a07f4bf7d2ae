//! What a step costs: counted in commands that the server carried out and in fields that it keeps, not in time.

use crate::server::{answered, calls_of, commit, open, submit};
use vastflow_core::{Seq, Task};
use vastflow_redis::RedisStore;
use vastflow_store::{ClaimToken, Commit, Committed, Control, Store, TaskState};
use vastflow_testsuite::fixture::{self, ALICE};
use vastflow_testsuite::servers::{Redis, Sync};

/// So much else there may be in a run's own hash: what it is, and the first events of its root.
const BESIDES: usize = 90;

async fn all_done(store: &RedisStore, batch: Vec<Commit>) {
    let answer = answered(submit(store, batch)).await;
    for (_, outcome) in answer {
        assert!(matches!(outcome, Ok(Committed::Done { .. })), "{outcome:?}");
    }
}

fn length(server: &Redis, key: &str) -> usize {
    let answer = server.command(&format!("HLEN {{vastflow:0}}:{key}"));
    answer.trim_start_matches(':').split('\r').next().unwrap().parse().unwrap()
}

/// A run with thousands of scopes and events, and three tasks.
#[tokio::test]
async fn a_look_at_a_runs_tasks_costs_what_is_open() {
    let server = Redis::start(Sync::EverySecond);
    let store = open(&server).await;
    commit(&store, fixture::start_commit("r")).await.unwrap();
    let scopes: Vec<_> = (0..4_500).map(|item| fixture::inner("r", &item.to_string())).collect();
    all_done(&store, scopes.iter().map(|scope| fixture::commit(scope, 0)).collect()).await;
    all_done(&store, scopes.iter().map(|scope| fixture::commit(scope, 1)).collect()).await;
    let root = fixture::root("r");
    let begun = store.run(root.run()).await.unwrap().unwrap().len.0;
    all_done(&store, (begun..300).map(|at| fixture::commit(&root, at)).collect()).await;
    let mut more = fixture::commit(&scopes[7], 2);
    more.queue.extend([fixture::new_task(fixture::attempt(0, 1)), fixture::new_task(fixture::attempt(1, 1))]);
    commit(&store, more).await.unwrap();

    let kept = length(&server, "r:r");
    assert!(kept <= BESIDES + 3, "{kept} fields in the hash that is gone through");
    let before = calls_of(&server, "hscan");
    assert_eq!(store.tasks(&root).await.unwrap().len(), 1);
    assert_eq!(store.tasks(&scopes[7]).await.unwrap().len(), 2);
    let mut hold = fixture::commit(&root, 300);
    hold.control = Some(Control::Held);
    commit(&store, hold).await.unwrap();
    assert_eq!(calls_of(&server, "hscan") - before, 3, "one each");
    // What stands in the other hash is found all the same, from any position on.
    for (after, first) in [(0, 0), (63, 63), (64, 64), (255, 255), (300, 300)] {
        let events = store.history(&root, Seq(after), 9).await.unwrap();
        assert_eq!(events.first().map(|one| one.seq), Some(Seq(first)));
    }
    assert_eq!(store.history(&root, Seq::ZERO, 999).await.unwrap().len(), 301);
    assert_eq!(store.history(&scopes[7], Seq::ZERO, 9).await.unwrap().len(), 3);
}

/// A link of a chain: a call is answered, the next one is kept.
fn link(run: &str, at: u64, done: u32) -> Commit {
    let mut commit = fixture::commit(&fixture::root(run), at);
    commit.worker = ALICE;
    commit.settle.push((fixture::attempt(done, 1), ClaimToken(1)));
    commit.queue.push(fixture::kept_task(fixture::attempt(done + 1, 1)));
    commit
}

fn begun(run: &str) -> Commit {
    let mut start = fixture::start_commit(run);
    start.worker = ALICE;
    start.queue.iter_mut().for_each(|new| new.keep = true);
    start
}

/// Who goes from call to call in a run costs a read and a write a step, whatever else is in the batch.
#[tokio::test]
async fn a_step_of_a_chain_is_one_read_and_one_write() {
    let server = Redis::start(Sync::EverySecond);
    let store = open(&server).await;
    let runs: Vec<String> = (0..50).map(|run| format!("r{run}")).collect();
    all_done(&store, runs.iter().map(|run| begun(run)).collect()).await;
    let len = store.run(&fixture::run_id("r0")).await.unwrap().unwrap().len.0;
    let count = |command: &str| calls_of(&server, command);
    let before = ["hmget", "hset", "hdel", "zadd", "hget"].map(count);
    all_done(&store, runs.iter().map(|run| link(run, len, 0)).collect()).await;
    let after = ["hmget", "hset", "hdel", "zadd", "hget"].map(count);
    let told: Vec<usize> = before.iter().zip(after).map(|(before, after)| after - before).collect();
    assert_eq!(told, [51, 51, 0, 0, 0], "one each for the step itself");
    for run in &runs {
        assert_eq!(tasks_of(&store, run).await, [(fixture::attempt(1, 1), TaskState::Claimed { by: ALICE })]);
    }
}

async fn tasks_of(store: &RedisStore, run: &str) -> Vec<(Task, TaskState)> {
    let tasks = store.tasks(&fixture::root(run)).await.unwrap();
    tasks.into_iter().map(|one| (one.task, one.state)).collect()
}

/// Whatever is not as a link of a chain says is answered as for any commit, and what comes after it goes on.
#[tokio::test]
async fn a_link_that_does_not_fit_is_a_commit_like_others() {
    let server = Redis::start(Sync::EverySecond);
    let store = open(&server).await;
    let start = begun("r");
    commit(&store, start.clone()).await.unwrap();
    assert!(matches!(commit(&store, start).await.unwrap(), Committed::Duplicate { .. }));
    let len = store.run(&fixture::run_id("r")).await.unwrap().unwrap().len.0;
    // Somebody else's answer, one to another call, one that comes too early.
    assert_eq!(commit(&store, link("r", len, 3)).await.unwrap(), Committed::Fenced);
    assert!(matches!(commit(&store, link("r", len + 1, 0)).await.unwrap(), Committed::Conflict { .. }));
    assert_eq!(commit(&store, link("s", 0, 0)).await.unwrap(), Committed::Fenced);
    let first = link("r", len, 0);
    assert!(matches!(commit(&store, first.clone()).await.unwrap(), Committed::Done { .. }));
    assert!(matches!(commit(&store, first).await.unwrap(), Committed::Duplicate { .. }));
    // A run that is held keeps nothing in anybody's hands, and says so.
    let mut hold = fixture::commit(&fixture::root("r"), len + 1);
    hold.control = Some(Control::Held);
    commit(&store, hold).await.unwrap();
    let answer = commit(&store, link("r", len + 2, 1)).await.unwrap();
    assert!(matches!(answer, Committed::Done { control } if control.control == Control::Held), "{answer:?}");
    let [(task, TaskState::Queued { .. })] = tasks_of(&store, "r").await[..] else { panic!("it is queued") };
    assert_eq!(task, fixture::attempt(2, 1));
    // A second commit of the same run in a batch sees what the first did.
    commit(&store, begun("t")).await.unwrap();
    all_done(&store, vec![link("t", len, 0), link("t", len + 1, 1)]).await;
    assert_eq!(tasks_of(&store, "t").await, [(fixture::attempt(2, 1), TaskState::Claimed { by: ALICE })]);
    // And so does one that comes after the first events.
    for at in (len + 2)..130 {
        let done = u32::try_from(at - len).unwrap();
        all_done(&store, vec![link("t", at, done)]).await;
    }
    assert_eq!(store.history(&fixture::root("t"), Seq::ZERO, 999).await.unwrap().len(), 130);
}
