//! What the tests share: places to run on, and scenes that see what happens.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::sync::Notify;
use vastflow::prelude::*;
use vastflow::store::Store;
use vastflow::{BoxError, EngineBuilder, Event};
use vastflow_core::{Recorded, RunId, ScopeId, Seq};
use vastflow_postgres::PostgresStore;
use vastflow_redis::RedisStore;
use vastflow_testsuite::servers::{Postgres, Redis};

/// The originals' second.
pub const SECOND: Duration = Duration::from_millis(50);

/// Waits are counted from the millisecond in which they begin.
pub const TICK: Duration = Duration::from_millis(1);

/// A test that takes longer hangs.
const TOO_LONG: Duration = Duration::from_secs(120);

/// A store that can be opened again: `memory:`, `sqlite:` in a directory of its own, or a schema or namespace of its own
/// in a PostgreSQL or Redis server that all tests share.
#[derive(Clone)]
pub struct Place(Arc<Kind>);

enum Kind {
    Memory(Arc<dyn Store>),
    Sqlite(TempDir),
    Postgres(String),
    Redis(String),
}

impl Place {
    pub async fn memory() -> Self {
        Place(Arc::new(Kind::Memory(vastflow::open("memory:").await.unwrap())))
    }

    pub fn sqlite() -> Self {
        Place(Arc::new(Kind::Sqlite(TempDir::new().unwrap())))
    }

    pub fn postgres() -> Self {
        Place(Arc::new(Kind::Postgres(Postgres::shared().fresh_url())))
    }

    pub fn redis() -> Self {
        Place(Arc::new(Kind::Redis(Redis::shared().fresh_url())))
    }

    pub fn name(&self) -> &'static str {
        match *self.0 {
            Kind::Memory(_) => "memory",
            Kind::Sqlite(_) => "sqlite",
            Kind::Postgres(_) => "postgres",
            Kind::Redis(_) => "redis",
        }
    }

    /// Opens it. A memory store is the same each time; a file must have been closed or dropped before.
    pub async fn open(&self) -> Arc<dyn Store> {
        match &*self.0 {
            Kind::Memory(store) => Arc::clone(store),
            Kind::Sqlite(dir) => {
                let url = format!("sqlite:{}", dir.path().join("runs.db").display());
                vastflow::open(&url).await.unwrap()
            }
            Kind::Postgres(url) => Arc::new(PostgresStore::open(url).await.unwrap()),
            Kind::Redis(url) => Arc::new(RedisStore::open(url).await.unwrap()),
        }
    }

    /// Somebody takes all workers, who have something in hand, for dead, as if their leases had ended: they lose it. A
    /// store with a clock of its own is told so in its tables.
    pub async fn give_all_up(&self, store: &dyn Store) {
        let own = |url: &str| url.rsplit_once('=').unwrap().1.to_owned();
        let before = store.fleet().await.unwrap().taken_over;
        // A sign of life may come before anybody looks, and an engine may look before this does.
        while store.fleet().await.unwrap().taken_over == before {
            match &*self.0 {
                Kind::Postgres(url) => {
                    Postgres::shared().psql(&format!("UPDATE {}.worker SET until = 1", own(url)));
                }
                Kind::Redis(url) => {
                    // Who has not heard yet what time it is there says of nobody that he is late.
                    store.sweep(vastflow::Timestamp::ZERO, 0).await.unwrap();
                    Redis::shared().command(&given_up(&own(url)));
                }
                Kind::Memory(_) | Kind::Sqlite(_) => {}
            }
            store.sweep(vastflow::Timestamp::from_millis(u64::MAX / 2), 16).await.unwrap();
        }
    }

    /// An engine on it. The short lease is how soon a memory store gives up an engine that is gone.
    pub async fn engine(&self) -> EngineBuilder {
        Engine::on(self.open().await).lease(1.secs())
    }

    /// An id that no other test and no other place has.
    pub fn id(&self, id: &str) -> String {
        format!("{id}-on-{}", self.name())
    }

    /// The scene of the run with this id.
    pub fn scene(&self, id: &str) -> Arc<Scene> {
        scene(&self.id(id))
    }
}

/// The command after which a Redis store knows of no lease of its workers any more.
fn given_up(namespace: &str) -> String {
    let script = "for _, id in ipairs(redis.call('HKEYS', KEYS[1])) do redis.call('HSET', KEYS[2], id, 1) end redis.call('DEL', KEYS[1])";
    format!("EVAL \"{script}\" 2 {{{namespace}:0}}:workers {{{namespace}:0}}:strangers")
}

/// Runs a test on every kind of store, side by side.
pub fn on_every_store<F, Fut>(test: F)
where
    F: Fn(Place) -> Fut,
    Fut: Future<Output = ()> + Send + 'static,
{
    runtime().block_on(async {
        let spawn = |place: Place| (place.name(), tokio::spawn(tokio::time::timeout(TOO_LONG, test(place))));
        let tests = [Place::memory().await, Place::sqlite(), Place::postgres(), Place::redis()].map(spawn);
        for (name, test) in tests {
            match test.await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => panic!("on {name}: it hangs"),
                Err(error) => panic!("on {name}: {error}"),
            }
        }
    });
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// Runs `part` on a runtime of its own and drops that with everything in it: as near to `kill -9` as one process comes.
pub async fn and_killed<F, Fut>(part: F)
where
    F: FnOnce() -> Fut + Send + 'static,
    Fut: Future<Output = ()>,
{
    let lived = tokio::task::spawn_blocking(move || runtime().block_on(tokio::time::timeout(TOO_LONG, part())));
    lived.await.unwrap().expect("it hangs");
}

/// What the handlers of one run did, and signals between them and their test.
#[derive(Default)]
pub struct Scene {
    log: Mutex<Vec<(Instant, String)>>,
    /// A handler is where the test wants it.
    pub entered: Notify,
    /// The handler may go on.
    pub go: Notify,
}

/// The scene of a run. It outlives engines, as a witness outlives a crash.
pub fn scene(id: &str) -> Arc<Scene> {
    static SCENES: LazyLock<Mutex<BTreeMap<String, Arc<Scene>>>> = LazyLock::new(Mutex::default);
    Arc::clone(SCENES.lock().unwrap().entry(id.to_owned()).or_default())
}

impl Scene {
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Notes a line; gives how many such lines there were before.
    pub fn note(&self, line: impl Into<String>) -> usize {
        let line = line.into();
        let mut log = self.log.lock().unwrap();
        let before = log.iter().filter(|(_, other)| *other == line).count();
        log.push((Instant::now(), line));
        before
    }

    pub fn lines(&self) -> Vec<String> {
        self.log.lock().unwrap().iter().map(|(_, line)| line.clone()).collect()
    }

    pub fn count(&self, line: &str) -> usize {
        self.times(line).len()
    }

    /// When a line was noted.
    pub fn times(&self, line: &str) -> Vec<Instant> {
        self.log.lock().unwrap().iter().filter(|(_, other)| other == line).map(|(at, _)| *at).collect()
    }

    /// The place of a line among all.
    pub fn place(&self, line: &str) -> usize {
        let lines = self.lines();
        lines.iter().position(|other| other == line).unwrap_or_else(|| panic!("no {line:?} in {lines:?}"))
    }

    /// From now on nobody waits here.
    pub fn let_all_pass(self: &Arc<Self>) -> tokio::task::JoinHandle<()> {
        let scene = Arc::clone(self);
        tokio::spawn(async move {
            loop {
                scene.go.notify_one();
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        })
    }

    /// Tells the test that it is here, and waits until it may go on.
    pub async fn pass(&self) {
        self.entered.notify_one();
        self.go.notified().await;
    }
}

/// A result whose error type is said.
pub fn ok<T>(value: T) -> Result<T> {
    Ok(value)
}

/// A failing handler's answer.
pub fn fail<T>(why: &str) -> Result<T> {
    Err(BoxError::from(why.to_owned()))
}

/// `name(input)`: the stub of the acceptance cases.
pub fn e(name: &'static str) -> impl AsyncHandler {
    move |input: Bytes| async move { ok(Bytes::from(format!("{name}({})", input.to_text()))) }
}

/// What [`e`] gives.
pub trait AsyncHandler: vastflow::Handler<Bytes, vastflow_sdk::Plain, Out = Bytes> {}
impl<H: vastflow::Handler<Bytes, vastflow_sdk::Plain, Out = Bytes>> AsyncHandler for H {}

pub fn root(id: &str) -> ScopeId {
    ScopeId::root(RunId::new(id).unwrap())
}

pub async fn history(store: &Arc<dyn Store>, id: &str) -> Vec<Recorded> {
    store.history(&root(id), Seq::ZERO, usize::MAX).await.unwrap()
}

/// How often an event happened in a run.
pub async fn recorded(store: &Arc<dyn Store>, id: &str, matches: impl Fn(&Event) -> bool) -> usize {
    history(store, id).await.iter().filter(|recorded| matches(&recorded.event)).count()
}

/// The status of every node, by name.
pub async fn statuses(run: &Run) -> BTreeMap<String, String> {
    let view = run.view().await.unwrap();
    view.nodes.iter().map(|node| (node.name.to_string(), node.status.to_string())).collect()
}
