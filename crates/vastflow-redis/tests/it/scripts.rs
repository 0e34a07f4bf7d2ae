//! Scripts that fail at any of their calls: nothing is ever half written.

use crate::place::Place;
use redis::AsyncCommands;
use redis::aio::MultiplexedConnection;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;
use vastflow_redis::RedisOptions;
use vastflow_store::{Commit, Control, Doomed, Prune, Store, StoreError};
use vastflow_testsuite::Probe;
use vastflow_testsuite::fixture::{self, ALICE, LEASE, Story, T0, after, attempt, inner, lease};

/// Fails the call with the number that stands in a key, if it reads, or is the first that writes: at that one a server
/// refuses what it cannot take. A call that reads after something was written fails always, so that no script decides
/// anything when it has begun to write.
const BREAK: &str = "
local server, calls, wrote = redis, 0, false
local at = tonumber(server.call('GET', KEYS[1] .. 'break') or '0')
local WRITES = { HSET = true, HDEL = true, ZADD = true, ZREM = true, UNLINK = true }
local redis = setmetatable({ call = function(command, ...)
  calls = calls + 1
  if wrote and not WRITES[command] then error(command .. ' reads after a write') end
  if calls == at and not wrote then error('broken on purpose') end
  wrote = wrote or WRITES[command] or false
  return server.call(command, ...)
end }, { __index = server })
";

/// Everything that is kept under a prefix, as one hash.
const DIGEST: &str = "
local parts = {}
for _, key in ipairs(redis.call('KEYS', ARGV[1])) do
  local kind = redis.call('TYPE', key).ok
  local all = kind == 'hash' and redis.call('HGETALL', key) or redis.call('ZRANGE', key, 0, -1, 'WITHSCORES')
  for i = 1, #all, 2 do parts[#parts + 1] = key .. ' ' .. all[i] .. ' ' .. all[i + 1] end
end
table.sort(parts)
return redis.sha1hex(table.concat(parts, '|'))
";

struct Scene {
    probe: Probe,
    server: MultiplexedConnection,
    prefix: String,
}

impl Scene {
    async fn new() -> Self {
        let place = Place::with(|options: RedisOptions| options.prelude(BREAK));
        let server = redis::Client::open(place.url()).unwrap().get_multiplexed_async_connection().await.unwrap();
        let prefix = format!("{{{}:0}}:*", place.namespace());
        Scene { probe: Probe::open(std::sync::Arc::new(place)).await, server, prefix }
    }

    async fn digest(&mut self) -> String {
        let mut call = redis::cmd("EVAL");
        call.arg(DIGEST).arg(0).arg(&self.prefix).query_async(&mut self.server).await.unwrap()
    }

    /// Breaks a step at its first call, its second, and so on, until it succeeds; gives how often it was broken.
    async fn break_everywhere(&mut self, step: impl AsyncFn(&dyn Store) -> Result<(), StoreError>) -> usize {
        let (before, place) = (self.digest().await, self.prefix.replace('*', "break"));
        for at in 1.. {
            let _: () = self.server.set(&place, at).await.unwrap();
            let done = step(self.probe.store()).await;
            let _: () = self.server.del(&place).await.unwrap();
            match done {
                Ok(()) => {
                    assert_ne!(self.digest().await, before, "the step did something");
                    return at - 1;
                }
                Err(error) => {
                    assert!(error.to_string().contains("broken on purpose"), "call {at}: {error}");
                    assert_eq!(self.digest().await, before, "call {at} left something behind");
                }
            }
        }
        unreachable!("a script has an end")
    }
}

/// A step that a test breaks.
type Step<'a> = Pin<Box<dyn Future<Output = Result<(), StoreError>> + Send + 'a>>;

fn submit(store: &dyn Store, batch: Vec<Commit>) -> Step<'_> {
    let (send, receive) = tokio::sync::oneshot::channel();
    store.submit(batch, Box::new(move |answer| drop(send.send(answer))));
    Box::pin(async move {
        let answers = receive.await.unwrap();
        answers.into_iter().try_for_each(|(_, answer)| answer.map(drop))
    })
}

#[tokio::test]
async fn a_broken_commit_leaves_nothing_behind() {
    let mut scene = Scene::new().await;
    let mut going = scene.probe.begin("going").await;
    let mut held = scene.probe.begin_with(Story::new(fixture::wide(3), "held")).await;
    let claimed = scene.probe.claim(1).await.remove(0);
    let mut answer = going.answer(&claimed);
    answer.queue[0].keep = true;
    answer.messages.push(fixture::message(&inner("going", "1"), 1));
    let mut hold = held.finish(attempt(0, 1));
    hold.control = Some(Control::Held);
    let start = fixture::start_commit("new");
    let mut stray = fixture::commit(&inner("held", "2"), 0);
    stray.queue.push(fixture::new_task(attempt(0, 1)));
    let batch = vec![answer, hold, start, stray];
    let broken = scene.break_everywhere(async |store| submit(store, batch.clone()).await).await;
    assert!(broken > 8, "{broken}");
    let mut resume = held.finish(attempt(1, 1));
    resume.control = Some(Control::Stopping);
    let broken = scene.break_everywhere(async |store| submit(store, vec![resume.clone()]).await).await;
    assert!(broken > 3, "{broken}");
}

#[tokio::test]
async fn a_broken_claim_or_delivery_leaves_nothing_behind() {
    let mut scene = Scene::new().await;
    let mut story = scene.probe.begin_with(Story::new(fixture::wide(3), "r")).await;
    scene.probe.begin_with(Story::new(fixture::timed(), "timed")).await;
    let mut send = story.finish(attempt(0, 1));
    send.messages.push(fixture::message(&inner("r", "1"), 1));
    scene.probe.done(send).await;
    let ask = vastflow_store::Claim::new(ALICE, 9, LEASE, after(20));
    let broken = scene.break_everywhere(async |store| store.claim(ask.clone()).await.map(drop)).await;
    assert!(broken > 10, "{broken}");
    let item = inner("r", "1");
    let deliver = scene.probe.task(&item, vastflow_core::Task::Deliver).await.unwrap();
    let mut settle = fixture::commit(&item, 0);
    settle.settle.push((deliver.task, deliver.token));
    let broken = scene.break_everywhere(async |store| submit(store, vec![settle.clone()]).await).await;
    assert!(broken > 3, "{broken}");
}

#[tokio::test]
async fn a_broken_release_beat_sweep_plan_or_prune_leaves_nothing_behind() {
    let mut scene = Scene::new().await;
    scene.probe.begin_with(Story::new(fixture::wide(3), "r")).await;
    let tasks = scene.probe.claim(3).await;
    let leases = [lease(&tasks[0])];
    let mut broken = Vec::new();
    broken.push(scene.break_everywhere(async |store| store.release(&leases).await).await);
    broken.push(scene.break_everywhere(async |store| store.put_plan(fixture::chain("other")).await).await);
    let beat = |now| vastflow_store::Heartbeat {
        worker: ALICE,
        about: std::sync::Arc::new(vastflow_store::WorkerInfo::here()),
        lease: Duration::from_secs(15),
        now,
    };
    broken.push(scene.break_everywhere(async |store| store.heartbeat(beat(T0)).await.map(drop)).await);
    broken.push(scene.break_everywhere(async |store| store.sweep(after(60), 9).await.map(drop)).await);
    let mut ended = scene.probe.begin_with(Story::new(fixture::wide(1), "ended")).await;
    scene.probe.done(ended.finish(attempt(0, 1))).await;
    let ask = Prune { which: Doomed::Runs(vec![fixture::run_id("ended")]), limit: 9 };
    broken.push(scene.break_everywhere(async |store| store.prune(&ask).await.map(drop)).await);
    assert!(broken.iter().all(|calls| *calls >= 2), "{broken:?}");
}
