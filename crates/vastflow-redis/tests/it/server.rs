//! Servers that are set up wrongly, full, emptied, demoted, silent; and callers that are gone, or ask for much.

use std::time::{Duration, Instant};
use vastflow_core::{Codec, Payload};
use vastflow_redis::{RedisOptions, RedisStore};
use vastflow_store::{
    Answer, Claim, Commit, Committed, Doomed, Durability, Heartbeat, Keep, Prune, Pruned, Store, StoreError, WorkerId,
    WorkerInfo,
};
use vastflow_testsuite::fixture::{self, Story};
use vastflow_testsuite::own_clock;
use vastflow_testsuite::servers::{Redis, Sync};

async fn refusal(server: &Redis) -> String {
    match RedisStore::open(&server.url()).await {
        Err(StoreError::Refused(why)) => why,
        other => panic!("{other:?} instead of a refusal"),
    }
}

pub(crate) async fn commit(store: &RedisStore, commit: Commit) -> Result<Committed, StoreError> {
    (store as &dyn Store).commit(commit).await
}

/// Submits a batch; its answer comes through the channel.
pub(crate) fn submit(store: &RedisStore, batch: Vec<Commit>) -> tokio::sync::oneshot::Receiver<Answer> {
    let (send, receive) = tokio::sync::oneshot::channel();
    store.submit(batch, Box::new(move |answer| drop(send.send(answer))));
    receive
}

pub(crate) async fn open(server: &Redis) -> RedisStore {
    let store = RedisStore::open(&server.url()).await.unwrap();
    store.put_plan(fixture::plan()).await.unwrap();
    store
}

#[tokio::test]
async fn what_a_commit_is_worth_is_what_the_server_is_set_up_for() {
    for (sync, worth) in [(Sync::Always, Durability::Synced), (Sync::EverySecond, Durability::Lagging)] {
        let server = Redis::start(sync);
        assert_eq!(RedisStore::open(&server.url()).await.unwrap().capabilities().durability, worth);
    }
    let server = Redis::start(Sync::Never);
    assert!(refusal(&server).await.contains("config set appendonly yes"));
    let less = format!("{}?durability=server", server.url());
    assert_eq!(RedisStore::open(&less).await.unwrap().capabilities().durability, Durability::Server);
    let lagging = Redis::start(Sync::EverySecond);
    let strict = RedisOptions::new(lagging.url()).at_least(Durability::Synced);
    let why = RedisStore::open_with(&strict).await.unwrap_err().to_string();
    assert!(why.contains("config set appendfsync always"), "{why}");
}

#[tokio::test]
async fn a_server_that_may_throw_runs_away_is_refused() {
    let server = Redis::start_with(Sync::Always, &["--maxmemory-policy", "allkeys-lru"]);
    assert!(refusal(&server).await.contains("config set maxmemory-policy noeviction"));
}

#[tokio::test]
async fn a_cluster_is_refused() {
    let server = Redis::start_with(Sync::Always, &["--cluster-enabled", "yes"]);
    assert!(refusal(&server).await.contains("cluster"));
}

#[tokio::test]
async fn a_store_of_another_format_is_refused() {
    let server = Redis::start(Sync::Always);
    drop(open(&server).await);
    for (format, word) in [(1, "never released"), (99, "newer version")] {
        server.command(&format!("HSET {{vastflow:0}}:meta format {format}"));
        let why = refusal(&server).await;
        assert!(why.contains(word), "{why}");
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unavailable() {
    let error = RedisStore::open("redis://127.0.0.1:1/").await.unwrap_err();
    assert!(error.is_transient() && error.to_string().contains("cannot be reached"), "{error}");
}

#[tokio::test]
async fn a_full_server_says_so_and_takes_commits_when_there_is_room() {
    let server = Redis::start(Sync::Always);
    let store = open(&server).await;
    server.command("CONFIG SET maxmemory 1");
    let start = fixture::start_commit("r");
    let error = commit(&store, start.clone()).await.unwrap_err();
    assert!(error.is_transient() && error.to_string().contains("maxmemory"), "{error}");
    assert_eq!(store.run(&fixture::run_id("r")).await.unwrap(), None, "nothing of it was written");
    server.command("CONFIG SET maxmemory 0");
    assert!(matches!(commit(&store, start).await, Ok(Committed::Done { .. })));
}

#[tokio::test]
async fn a_full_server_can_be_emptied() {
    let server = Redis::start(Sync::Always);
    let store = open(&server).await;
    end_one(&store, "r").await;
    server.command("CONFIG SET maxmemory 1");
    assert!(commit(&store, fixture::start_commit("s")).await.is_err(), "it is full");
    let ask = Prune { which: Doomed::Runs(vec![fixture::run_id("r")]), limit: 9 };
    assert_eq!(store.prune(&ask).await.unwrap().runs, 1);
    server.command("CONFIG SET maxmemory 0");
    assert_eq!(store.run(&fixture::run_id("r")).await.unwrap(), None);
    assert_eq!(store.counts().await.unwrap().succeeded, 0);
}

/// Begins runs of a flow and leaves them as they are.
async fn begin_many(store: &RedisStore, flow: &str, number: usize) {
    store.put_plan(fixture::chain(flow)).await.unwrap();
    let starts = (0..number).map(|run| Story::new(fixture::chain(flow), &format!("{flow}{run}")).start());
    let answer = answered(submit(store, starts.collect())).await;
    assert!(answer.iter().all(|(_, outcome)| matches!(outcome, Ok(Committed::Done { .. }))));
}

/// A run that has begun and ended.
async fn end_one(store: &RedisStore, run: &str) {
    store.put_plan(fixture::wide(1)).await.unwrap();
    let mut story = Story::new(fixture::wide(1), run);
    for one in [story.start(), story.finish(fixture::attempt(0, 1))] {
        assert!(matches!(commit(store, one).await, Ok(Committed::Done { .. })));
    }
}

/// How often the server was given a command.
pub(crate) fn calls_of(server: &Redis, command: &str) -> usize {
    let stats = server.command("INFO commandstats");
    let line = stats.split_once(&format!("cmdstat_{command}:calls=")).map_or("0,", |(_, rest)| rest);
    line.split(',').next().unwrap().parse().unwrap()
}

#[tokio::test]
async fn pruning_by_number_looks_at_the_flows_it_covers_and_at_some_runs_at_once() {
    let server = Redis::start(Sync::EverySecond);
    let store = open(&server).await;
    begin_many(&store, "other", 4_200).await;
    for run in ["a", "b", "c"] {
        end_one(&store, run).await;
    }
    let keep = Keep { newest: Some(1), except: vec![fixture::name("other")], ..Keep::default() };
    let prune = async |keep| store.prune(&Prune { which: Doomed::Old(keep), limit: 9 }).await.unwrap();
    let before = calls_of(&server, "hmget");
    assert_eq!(prune(keep).await, Pruned { runs: 2, more: false });
    assert!(calls_of(&server, "hmget") - before < 20, "it looked at what it does not cover");
    // All older ones go on, and hide the one that has ended from the first look.
    let before = store.round_trips();
    assert_eq!(prune(Keep { newest: Some(0), ..Keep::default() }).await, Pruned { runs: 1, more: false });
    assert_eq!(store.round_trips() - before, 2, "4,096 runs a look");
}

/// What one claim hands a delivery is bounded in bytes, and all of it comes in the end.
#[tokio::test]
async fn long_messages_come_a_mebibyte_at_a_time() {
    let server = Redis::start(Sync::EverySecond);
    let store = open(&server).await;
    let item = fixture::inner("r", "1");
    let mut start = fixture::start_commit("r");
    start.queue.clear();
    for (kind, len) in (1..).zip([2 << 20, 700_000, 348_576, 1, 10]) {
        let mut letter = fixture::message(&item, kind);
        letter.body = Payload::new(Codec::Bytes, vec![7_u8; len]);
        start.messages.push(letter);
    }
    assert!(matches!(commit(&store, start).await, Ok(Committed::Done { .. })));
    let mut given = Vec::new();
    for at in 0..3 {
        let claims = store.claim(Claim::new(fixture::ALICE, 9, fixture::LEASE, fixture::T0)).await.unwrap();
        let [one] = &claims.tasks[..] else { panic!("{claims:?} instead of a delivery") };
        given.push(one.messages.iter().map(|(_, message)| message.kind).collect::<Vec<_>>());
        let mut settle = fixture::commit(&item, at);
        settle.settle.push((one.task, one.token));
        assert!(matches!(commit(&store, settle).await, Ok(Committed::Done { .. })));
    }
    assert_eq!(given, [vec![1], vec![2, 3], vec![4, 5]]);
}

#[tokio::test]
async fn a_claim_hands_out_eight_mebibytes_of_mail() {
    let server = Redis::start(Sync::EverySecond);
    let store = open(&server).await;
    let mut start = fixture::start_commit("r");
    start.queue.clear();
    for item in 0..12 {
        let mut letter = fixture::message(&fixture::inner("r", &item.to_string()), 1);
        letter.body = Payload::new(Codec::Bytes, vec![7_u8; 1 << 20]);
        start.messages.push(letter);
    }
    assert!(matches!(commit(&store, start).await, Ok(Committed::Done { .. })));
    let claim = || Claim::new(fixture::ALICE, 9, fixture::LEASE, fixture::T0);
    let first = store.claim(claim()).await.unwrap();
    assert_eq!((first.tasks.len(), first.more), (8, true));
    let second = store.claim(claim()).await.unwrap();
    assert_eq!((second.tasks.len(), second.more), (4, false));
}

/// How long leases are in tests that wait for their end.
const SHORT: Duration = Duration::from_secs(2);

fn pulse(worker: WorkerId) -> Heartbeat {
    Heartbeat { worker, about: std::sync::Arc::new(WorkerInfo::here()), lease: SHORT, now: fixture::T0 }
}

/// Moves what the server keeps of workers into the past: for them its clock was set forward.
async fn set_forward(server: &Redis, millis: u64) {
    let client = redis::Client::open(server.url()).unwrap();
    let mut server = client.get_multiplexed_async_connection().await.unwrap();
    let shift = "local function back(key, field, text)
          local time, rest = text:match('^(%d+)(.*)$')
          redis.call('HSET', key, field, string.format('%.0f', time - ARGV[1]) .. rest)
        end
        local workers = redis.call('HGETALL', '{vastflow:0}:workers')
        for i = 1, #workers, 2 do back('{vastflow:0}:workers', workers[i], workers[i + 1]) end
        local last = redis.call('HGET', '{vastflow:0}:meta', 'last')
        if last then back('{vastflow:0}:meta', 'last', last) end";
    let _: () = redis::cmd("EVAL").arg(shift).arg(0).arg(millis).query_async(&mut server).await.unwrap();
}

#[tokio::test]
async fn a_servers_clock_that_is_set_forward_kills_nobody() {
    let server = Redis::start(Sync::EverySecond);
    let store = open(&server).await;
    let began = Instant::now();
    // Only who had every answer for a whole lease gives others up.
    while began.elapsed() < SHORT + Duration::from_millis(300) {
        for worker in [fixture::ALICE, fixture::BOB] {
            store.heartbeat(pulse(worker)).await.unwrap();
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    set_forward(&server, 60_000).await;
    assert_eq!(store.sweep(fixture::T0, 9).await.unwrap().workers, 0, "both live");
    // From now on nothing is heard of one of them, and it is given up when its new lease has ended.
    let silent = Instant::now();
    let given_up = loop {
        store.heartbeat(pulse(fixture::ALICE)).await.unwrap();
        let swept = store.sweep(fixture::T0, 9).await.unwrap();
        if swept.workers > 0 {
            break swept.workers;
        }
        assert!(silent.elapsed() < SHORT * 10, "nobody was given up");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert!(given_up == 1 && silent.elapsed() >= SHORT * 4 / 5, "{given_up} after {:?}", silent.elapsed());
    let fleet = store.fleet().await.unwrap();
    assert_eq!(fleet.workers.iter().map(|row| row.id).collect::<Vec<_>>(), [fixture::ALICE]);
}

#[tokio::test]
async fn a_server_that_forgets_its_scripts_is_given_them_again() {
    let server = Redis::start(Sync::Always);
    let store = open(&server).await;
    server.command("SCRIPT FLUSH");
    assert!(matches!(commit(&store, fixture::start_commit("r")).await, Ok(Committed::Done { .. })));
}

#[tokio::test]
async fn a_store_that_was_emptied_is_not_written_to() {
    let server = Redis::start(Sync::Always);
    let store = open(&server).await;
    server.command("FLUSHALL");
    let error = commit(&store, fixture::start_commit("r")).await.unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }) && error.to_string().contains("is gone"), "{error}");
}

#[tokio::test]
async fn what_the_server_has_lost_is_counted() {
    let server = Redis::start(Sync::Always);
    let store = open(&server).await;
    for run in 0..4 {
        commit(&store, fixture::start_commit(&format!("r{run}"))).await.unwrap();
    }
    assert_eq!(store.lost_steps(), 0);
    // As a replica would stand that took over three steps too early: the plan was the first, then two of four starts.
    server.command("HSET {vastflow:0}:meta step 2");
    commit(&store, fixture::start_commit("again")).await.unwrap();
    assert_eq!(store.lost_steps(), 3);
    commit(&store, fixture::start_commit("and-again")).await.unwrap();
    assert_eq!(store.lost_steps(), 3, "once");
}

#[tokio::test]
async fn a_server_that_became_a_replica_is_unavailable_until_it_is_none() {
    let server = Redis::start(Sync::Always);
    let store = open(&server).await;
    server.command("REPLICAOF 127.0.0.1 1");
    let start = fixture::start_commit("r");
    for _ in 0..2 {
        let error = commit(&store, start.clone()).await.unwrap_err();
        assert!(error.is_transient() && error.to_string().contains("replica"), "{error}");
    }
    server.command("REPLICAOF NO ONE");
    assert!(matches!(commit(&store, start).await, Ok(Committed::Done { .. })));
}

#[tokio::test]
async fn a_server_that_is_set_up_wrongly_later_is_unavailable_until_that_is_mended() {
    let server = Redis::start(Sync::Always);
    let store = open(&server).await;
    server.command("CONFIG SET maxmemory-policy allkeys-lru");
    server.command("CLIENT KILL TYPE pubsub");
    let start = fixture::start_commit("r");
    let told = Instant::now();
    // The first calls may meet the end of the connection.
    let error = loop {
        let error = commit(&store, start.clone()).await.unwrap_err();
        if error.to_string().contains("maxmemory-policy") || told.elapsed() > Duration::from_secs(60) {
            break error;
        }
    };
    assert!(error.is_transient() && error.to_string().contains("config set maxmemory-policy noeviction"), "{error}");
    server.command("CONFIG SET maxmemory-policy noeviction");
    assert!(matches!(commit(&store, start).await, Ok(Committed::Done { .. })));
}

#[tokio::test]
async fn a_password_that_is_changed_and_changed_back() {
    let server = Redis::start(Sync::Always);
    let url = server.url().replace("redis://", "redis://ann:one@");
    server.command("ACL SETUSER ann on >one ~* &* +@all");
    let store = RedisStore::open(&url).await.unwrap();
    store.put_plan(fixture::plan()).await.unwrap();
    server.command("ACL SETUSER ann resetpass >two");
    server.command("CLIENT KILL USER ann");
    let (start, mut said) = (fixture::start_commit("r"), String::new());
    for _ in 0..4 {
        // The first may meet the end of the connection.
        let error = commit(&store, start.clone()).await.unwrap_err();
        assert!(error.is_transient(), "{error}");
        said = error.to_string();
    }
    assert!(said.contains("a user and a password in the URL"), "{said}");
    assert!(matches!(RedisStore::open(&url).await, Err(StoreError::Refused(_))), "who opens now is told to mend it");
    server.command("ACL SETUSER ann >one");
    assert!(matches!(commit(&store, start).await, Ok(Committed::Done { .. })));
}

#[tokio::test]
async fn a_call_that_is_never_answered_ends() {
    let server = Redis::start(Sync::Always);
    let patience = Duration::from_secs(1);
    let store = RedisStore::open_with(&RedisOptions::new(server.url()).patience(patience)).await.unwrap();
    store.put_plan(fixture::plan()).await.unwrap();
    server.sigstop();
    let start = fixture::start_commit("r");
    let asked = Instant::now();
    let error = commit(&store, start.clone()).await.unwrap_err();
    assert!(error.is_transient() && asked.elapsed() < Duration::from_secs(20), "{error} after {:?}", asked.elapsed());
    server.sigcont();
    // Whether the first took effect is not known; repeating it is safe.
    let again = loop {
        match commit(&store, start.clone()).await {
            Err(error) if error.is_transient() => {}
            answer => break answer.unwrap(),
        }
    };
    assert!(matches!(again, Committed::Done { .. } | Committed::Duplicate { .. }), "{again:?}");
}

#[tokio::test]
async fn hints_reach_other_processes_also_after_a_restart() {
    let mut server = Redis::start(Sync::Always);
    let (here, there) = (open(&server).await, open(&server).await);
    let mut hints = there.wakeups();
    commit(&here, fixture::start_commit("r")).await.unwrap();
    let hint = async |hints: &mut vastflow_store::Wakeups| {
        tokio::time::timeout(Duration::from_secs(60), hints.next()).await.expect("a hint");
    };
    hint(&mut hints).await;
    server.restart();
    while there.counts().await.is_err() || here.counts().await.is_err() {}
    // Those that tell of the lost connection have come by now.
    let mut hints = there.wakeups();
    commit(&here, fixture::start_commit("s")).await.unwrap();
    hint(&mut hints).await;
}

/// Waits for an answer that must come.
pub(crate) async fn answered(answer: tokio::sync::oneshot::Receiver<Answer>) -> Answer {
    tokio::time::timeout(Duration::from_secs(60), answer).await.expect("an answer in time").expect("an answer")
}

#[test]
fn a_store_goes_on_when_the_runtime_that_opened_it_is_gone() {
    let server = Redis::start(Sync::Always);
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let first = runtime();
    let store = first.block_on(open(&server));
    let before = submit(&store, vec![fixture::start_commit("r")]);
    drop(first);
    let after = submit(&store, vec![fixture::start_commit("s")]);
    runtime().block_on(async {
        for (answer, run) in [(before, "r"), (after, "s")] {
            assert!(matches!(answered(answer).await[..], [(_, Ok(Committed::Done { .. }))]), "{run}");
            assert!(store.run(&fixture::run_id(run)).await.unwrap().is_some(), "{run}");
        }
    });
}

#[tokio::test]
async fn a_caller_that_panics_at_its_answer_holds_nobody_up() {
    let server = Redis::start(Sync::Always);
    let store = open(&server).await;
    for run in 0..4 {
        store.submit(vec![fixture::start_commit(&format!("r{run}"))], Box::new(|_| panic!("on purpose")));
    }
    let answer = answered(submit(&store, vec![fixture::start_commit("s")])).await;
    assert!(matches!(answer[..], [(_, Ok(Committed::Done { .. }))]), "{answer:?}");
    tokio::time::timeout(Duration::from_secs(60), store.close()).await.expect("it is closed in time").unwrap();
}

#[tokio::test]
async fn what_waits_when_a_store_goes_is_answered() {
    let server = Redis::start(Sync::Always);
    let store = open(&server).await;
    server.sigstop();
    let waiting: Vec<_> = (0..4).map(|run| submit(&store, vec![fixture::start_commit(&format!("r{run}"))])).collect();
    drop(store);
    for answer in waiting {
        let answer = answered(answer).await;
        assert!(matches!(&answer[..], [(_, Err(error))] if error.is_transient()), "{answer:?}");
    }
    server.sigcont();
}

/// The begin of a run that sends a long message.
fn with_letter(run: &str, len: usize) -> Commit {
    let mut start = fixture::start_commit(run);
    let mut letter = fixture::message(&fixture::inner(run, "1"), 1);
    letter.body = Payload::new(Codec::Bytes, vec![7_u8; len]);
    start.messages.push(letter);
    start
}

#[tokio::test]
async fn a_large_batch_goes_in_steps_of_a_bounded_size() {
    let server = Redis::start(Sync::EverySecond);
    let store = open(&server).await;
    let many: Vec<Commit> = (0..1_200).map(|run| fixture::start_commit(&format!("r{run}"))).collect();
    let (names, before) = (many.iter().map(|one| one.op).collect::<Vec<_>>(), store.round_trips());
    let answer = answered(submit(&store, many)).await;
    assert!(answer.iter().all(|(_, outcome)| matches!(outcome, Ok(Committed::Done { .. }))));
    assert_eq!(answer.iter().map(|(commit, _)| commit.op).collect::<Vec<_>>(), names, "in order");
    assert_eq!(store.round_trips() - before, 3, "512 commits a step");
    let heavy: Vec<Commit> = (0..4).map(|run| with_letter(&format!("h{run}"), 3 << 20)).collect();
    let before = store.round_trips();
    let answer = answered(submit(&store, heavy)).await;
    assert!(answer.iter().all(|(_, outcome)| matches!(outcome, Ok(Committed::Done { .. }))));
    assert_eq!(store.round_trips() - before, 2, "8 MiB a step");
}

/// Only the server's clock counts; and who went by the workers' clocks would be found out.
#[tokio::test]
async fn the_clock_is_the_servers() {
    let real = RedisStore::open(&Redis::shared().fresh_url()).await.unwrap();
    assert_eq!(own_clock(&real).await.unwrap(), None);
    let told = RedisStore::open_with(&RedisOptions::new(Redis::shared().fresh_url()).virtual_time()).await.unwrap();
    assert!(own_clock(&told).await.unwrap().is_some());
}
