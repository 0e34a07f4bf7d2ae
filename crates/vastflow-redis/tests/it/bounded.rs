//! What a step costs: counted in commands that the server carried out and in fields that it keeps, not in time.

use crate::server::{answered, calls_of, commit, open, submit};
use std::collections::HashMap;
use vastflow_core::{RunInfo, Seq, Task};
use vastflow_redis::RedisStore;
use vastflow_store::{Claim, ClaimToken, Claimed, Commit, Committed, Control, Store, TaskState, WindowOf};
use vastflow_testsuite::fixture::{self, ALICE, Story};
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
    // A run that stops keeps what it goes on with, and every answer says that it stops.
    commit(&store, begun("u")).await.unwrap();
    let mut stop = fixture::commit(&fixture::root("u"), len);
    stop.control = Some(Control::Stopping);
    commit(&store, stop).await.unwrap();
    for done in 0..3 {
        let answer = commit(&store, link("u", len + 1 + u64::from(done), done)).await.unwrap();
        assert!(matches!(answer, Committed::Done { control } if control.control == Control::Stopping), "{answer:?}");
    }
    // And so does one that comes after the first events.
    for at in (len + 2)..130 {
        let done = u32::try_from(at - len).unwrap();
        all_done(&store, vec![link("t", at, done)]).await;
    }
    assert_eq!(store.history(&fixture::root("t"), Seq::ZERO, 999).await.unwrap().len(), 130);
}

/// Runs that wait in line, two with each of so many keys.
async fn line_up(store: &RedisStore, keys: usize) -> HashMap<String, Story> {
    store.put_plan(fixture::wide(1)).await.unwrap();
    let (mut stories, mut starts) = (HashMap::new(), Vec::new());
    for run in 0..2 * keys {
        let mut story = Story::new(fixture::wide(1), &format!("r{run}"));
        story.info = RunInfo { key: Some(fixture::name(&format!("key{}", run % keys))), ..RunInfo::default() };
        story.queued = true;
        starts.push(story.start());
        stories.insert(format!("r{run}"), story);
    }
    all_done(store, starts).await;
    stories
}

/// Lets runs in, as many with a key as are to be in flight at most.
async fn let_in(store: &RedisStore, most: usize) -> Vec<Claimed> {
    store.claim(by_key(most)).await.unwrap().tasks
}

/// A claim that lets so many runs with a key be in flight.
fn by_key(most: usize) -> Claim {
    let windows = [(WindowOf::KeyOf(fixture::wide(1).flow().clone()), most)];
    Claim { windows: windows.into(), ..Claim::new(ALICE, 9, fixture::LEASE, fixture::T0) }
}

/// A claim looks at as many keys as it lets runs in, not at all that somebody waits with, and at those that are full once.
#[tokio::test]
async fn a_claim_costs_what_it_lets_in_however_many_keys_wait() {
    const KEYS: usize = 3_000;
    let server = Redis::start(Sync::EverySecond);
    let store = open(&server).await;
    let mut stories = line_up(&store, KEYS).await;
    let reads = || -> usize {
        ["zrange", "zrangebyscore", "zcard", "zscore", "hget", "hmget", "hgetall"]
            .map(|one| calls_of(&server, one))
            .iter()
            .sum()
    };
    let before = reads();
    let mut inside = let_in(&store, 1).await;
    assert_eq!(inside.len(), 256, "the most that one claim lets in");
    // Of each key its line, of each run its hash, and nothing of the other keys.
    assert!(reads() - before < 4 * 256, "{} reads", reads() - before);
    while inside.len() < KEYS {
        inside.extend(let_in(&store, 1).await);
    }
    let let_in_first: Vec<_> = inside.iter().map(|one| one.scope.run().to_string()).collect();
    let wrong = let_in_first.iter().zip(0..).find(|(run, at)| **run != format!("r{at}"));
    assert_eq!((wrong, inside.len()), (None, KEYS), "first come, first served");
    // All that are left are full: that is found out once.
    assert!(let_in(&store, 1).await.is_empty());
    let before = reads();
    assert!(let_in(&store, 1).await.is_empty());
    assert!(reads() - before < 20, "{} reads for nothing", reads() - before);
    // One of a key ends: the other is let in, and nobody else is looked at.
    let story = stories.get_mut("r7").unwrap();
    let admitted = story.answer(&inside[7]);
    all_done(&store, vec![admitted, story.finish(fixture::attempt(0, 1))]).await;
    let before = reads();
    let next = let_in(&store, 1).await;
    assert_eq!(next.iter().map(|one| one.scope.run().as_str()).collect::<Vec<_>>(), [format!("r{}", KEYS + 7)]);
    assert!(reads() - before < 30, "{} reads for one", reads() - before);
    // It is given back: it waits again, and is let in again.
    store.release(&[fixture::lease(&next[0])]).await.unwrap();
    assert_eq!(let_in(&store, 1).await.len(), 1);
    // One that is let in and given back goes to the end of its line, and makes room for who waits with its key.
    store.release(&[fixture::lease(&inside[9])]).await.unwrap();
    let instead = let_in(&store, 1).await;
    assert_eq!(instead.iter().map(|one| one.scope.run().as_str()).collect::<Vec<_>>(), [format!("r{}", KEYS + 9)]);
    // A larger window has room for all.
    let mut rest = 0;
    loop {
        let more = let_in(&store, 2).await.len();
        if more == 0 {
            break;
        }
        rest += more;
    }
    assert_eq!(rest, KEYS - 1);
}

/// Who is more urgent goes before those of other keys, though another waits with its key.
#[tokio::test]
async fn the_most_urgent_is_let_in_first_whatever_waits_with_its_key() {
    let server = Redis::start(Sync::EverySecond);
    let store = open(&server).await;
    for (run, key, priority) in [("first", "y", 0), ("second", "x", 0), ("urgent", "x", 5)] {
        let mut story = Story::new(fixture::plan(), run);
        story.info = RunInfo { key: Some(fixture::name(key)), priority, ..RunInfo::default() };
        story.queued = true;
        all_done(&store, vec![story.start()]).await;
    }
    let order: Vec<_> = let_in(&store, 9).await.iter().map(|one| one.scope.run().to_string()).collect();
    assert_eq!(order, ["urgent", "first", "second"]);
}

/// A window of all that is full is left at once.
#[tokio::test]
async fn a_full_window_is_left_at_once() {
    let server = Redis::start(Sync::EverySecond);
    let store = open(&server).await;
    line_up(&store, 600).await;
    let claim = || {
        let windows = [(WindowOf::All, 3), (WindowOf::KeyOf(fixture::wide(1).flow().clone()), 1)];
        Claim { windows: windows.into(), ..Claim::new(ALICE, 9, fixture::LEASE, fixture::T0) }
    };
    assert_eq!(store.claim(claim()).await.unwrap().tasks.len(), 3);
    let before = calls_of(&server, "zrange");
    let claims = store.claim(claim()).await.unwrap();
    assert!(claims.tasks.is_empty() && claims.windows[0].waits && claims.windows[0].in_flight == 3, "{claims:?}");
    assert_eq!(calls_of(&server, "zrange") - before, 0);
}

/// Whether the server holds none of these keys.
fn is_gone(server: &Redis, keys: &[&str]) -> bool {
    let names: String = keys.iter().map(|key| format!(" {{vastflow:0}}:{key}")).collect();
    server.command(&format!("EXISTS{names}")).starts_with(":0\r")
}

/// The runs that a claim let in, in order, and how many timers and calls it handed out.
fn handed(tasks: &[Claimed]) -> (Vec<&str>, [usize; 2]) {
    let admitted = tasks.iter().filter(|one| one.task == Task::Admit).map(|one| one.scope.run().as_str());
    let count = |is: fn(&Task) -> bool| tasks.iter().filter(|one| is(&one.task)).count();
    let timers = count(|task| *task == Task::RunDeadline);
    (admitted.collect(), [timers, count(|task| matches!(task, Task::Attempt { .. }))])
}

/// Engines that tell different windows of a key, in turn: each gets its timers and calls in one step, and lets in who came
/// first, whatever the other does in between.
#[tokio::test]
async fn engines_that_tell_different_windows_do_not_starve_each_other() {
    const KEYS: usize = 2_600;
    let server = Redis::start(Sync::EverySecond);
    let store = open(&server).await;
    line_up(&store, KEYS).await;
    let mut inside = 0;
    while inside < KEYS {
        inside += let_in(&store, 1).await.len();
    }
    let mut let_in_first = Vec::new();
    for (turn, most) in [1, 2, 1, 1, 2, 2, 1, 2].into_iter().enumerate() {
        let run = format!("other{turn}");
        let mut start = fixture::start_commit(&run);
        start.queue.push(fixture::new_task(Task::RunDeadline));
        commit(&store, start).await.unwrap();
        let steps = store.round_trips();
        let claims = store.claim(by_key(most)).await.unwrap();
        assert_eq!(store.round_trips() - steps, 1, "turn {turn}: it is not asked again");
        let (admitted, others) = handed(&claims.tasks);
        assert_eq!(others, [1, 1], "turn {turn}: the timer and the call");
        assert_eq!(admitted.len(), if most == 1 { 0 } else { 256 }, "turn {turn}");
        let_in_first.extend(admitted.into_iter().map(str::to_owned));
    }
    let wrong = let_in_first.iter().zip(KEYS..).find(|(run, at)| **run != format!("r{at}"));
    assert_eq!(wrong, None, "first come, first served");
    while !let_in(&store, 2).await.is_empty() {}
    assert!(is_gone(&server, &["heads:1", "heads:1:1", "full"]), "nobody waits, and nothing is looked at");
}

async fn queued(store: &RedisStore, run: &str, key: &str, priority: i8) {
    let mut story = Story::new(fixture::wide(1), run);
    story.info = RunInfo { key: Some(fixture::name(key)), priority, ..RunInfo::default() };
    story.queued = true;
    all_done(store, vec![story.start()]).await;
}

/// A key that is full for one and not for another is where its most urgent run wants it, and goes from the one to the other.
#[tokio::test]
async fn a_key_that_is_set_aside_for_a_smaller_window_keeps_its_place() {
    let server = Redis::start(Sync::EverySecond);
    let store = open(&server).await;
    store.put_plan(fixture::wide(1)).await.unwrap();
    let names = |tasks: Vec<Claimed>| tasks.iter().map(|one| one.scope.run().to_string()).collect::<Vec<_>>();
    for (run, key) in [("x1", "x"), ("y1", "y"), ("x2", "x"), ("y2", "y"), ("y3", "y"), ("x3", "x"), ("z1", "z")] {
        queued(&store, run, key, 0).await;
    }
    let inside = store.claim(by_key(1)).await.unwrap().tasks;
    assert_eq!(names(inside.clone()), ["x1", "y1", "z1"]);
    assert!(let_in(&store, 1).await.is_empty(), "both are set aside");
    queued(&store, "z2", "z", 0).await;
    queued(&store, "late", "y", 0).await;
    queued(&store, "urgent", "y", 5).await;
    assert_eq!(names(let_in(&store, 2).await), ["urgent", "x2", "z2"], "one more of each, the most urgent first");
    assert!(let_in(&store, 2).await.is_empty() && let_in(&store, 1).await.is_empty(), "all are full for both");
    // Who goes back into line makes room for the one, and not for the other.
    store.release(&[fixture::lease(&inside[1])]).await.unwrap();
    assert!(let_in(&store, 1).await.is_empty());
    assert_eq!(names(let_in(&store, 2).await), ["y2"]);
    // Whom no window holds goes past all of them.
    let all = store.claim(Claim::new(ALICE, 9, fixture::LEASE, fixture::T0)).await.unwrap().tasks;
    assert_eq!(names(all), ["y3", "x3", "late", "y1"]);
    assert!(let_in(&store, 9).await.is_empty());
    assert!(is_gone(&server, &["heads:1", "heads:1:1", "heads:1:2", "full"]), "nobody waits, and nothing is looked at");
}
