//! The way to the server: one connection, made again when it breaks, and the scripts called over it.

use crate::check::Server;
use crate::fail;
use crate::hints::Hints;
use crate::options::{RedisOptions, Resolved};
use crate::script::{self, Script};
use crate::service::{Service, closed};
use crate::wire::{Frame, Pack, Reply, pack, unpack};
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, ErrorKind, RedisError, ServerErrorKind};
use serde::de::DeserializeOwned;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Instant;
use tokio::runtime::Handle;
use vastflow_store::{Durability, StoreError};

/// The store on its server, as one process sees it.
pub(crate) struct Link {
    client: Client,
    config: AsyncConnectionConfig,
    /// What the names of all keys begin with.
    prefix: String,
    /// The name of the store itself, given when it was made: a server that forgot all has another one, or none.
    id: String,
    is_virtual: bool,
    prelude: &'static str,
    live: Mutex<Option<Live>>,
    /// Held by who makes a connection.
    connecting: tokio::sync::Mutex<()>,
    /// The last step that was acknowledged here.
    seen: AtomicU64,
    /// How many steps that had been acknowledged the server was found to have lost.
    lost: AtomicU64,
    /// How often the server was asked.
    trips: AtomicU64,
    is_closed: AtomicBool,
    /// What an acknowledged commit must be worth at least, and what it was worth when the store was opened.
    at_least: Durability,
    worth: OnceLock<Durability>,
    pub(crate) service: Service,
    pub(crate) hints: Arc<Hints>,
    /// Where the connection is at home.
    pub(crate) runtime: Handle,
}

/// A connection that worked when it was used last.
#[derive(Clone)]
struct Live {
    number: u64,
    connection: MultiplexedConnection,
    /// By what names the server knows the scripts.
    hashes: Arc<[String]>,
}

impl Link {
    /// Connects, looks at the server, and makes the store if there is none.
    pub(crate) async fn open(
        options: RedisOptions,
        resolved: Resolved,
        runtime: Handle,
    ) -> Result<(Self, Server), StoreError> {
        let Resolved { info, prefix, at_least } = resolved;
        let client = Client::open(info).map_err(fail::of)?;
        let hints = Arc::new(Hints::new());
        let ears = Arc::clone(&hints);
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(options.patience))
            .set_response_timeout(Some(options.patience))
            .set_push_sender(move |push| {
                ears.hear(&push);
                Ok::<(), redis::aio::SendError>(())
            });
        let mut link = Link {
            client,
            config,
            prefix,
            id: String::new(),
            is_virtual: options.is_virtual,
            prelude: options.prelude,
            live: Mutex::new(None),
            connecting: tokio::sync::Mutex::new(()),
            seen: AtomicU64::new(0),
            lost: AtomicU64::new(0),
            trips: AtomicU64::new(0),
            is_closed: AtomicBool::new(false),
            at_least,
            worth: OnceLock::new(),
            service: Service::default(),
            hints,
            runtime,
        };
        let mut live = link.live().await?;
        let server = Server::ask(&mut live.connection).await.map_err(fail::of)?;
        link.id = link.make(&mut live.connection).await?;
        Ok((link, server))
    }

    /// The name of the store; a new store gets one.
    async fn make(&self, connection: &mut MultiplexedConnection) -> Result<String, StoreError> {
        let meta = format!("{}meta", self.prefix);
        let fresh = uuid::Uuid::now_v7().simple().to_string();
        let mut both = redis::pipe();
        both.hset_nx(&meta, "id", &fresh).ignore().hset_nx(&meta, "format", FORMAT).ignore();
        both.cmd("HMGET").arg(&meta).arg("id").arg("format");
        let ((id, format),): ((String, u32),) = both.query_async(connection).await.map_err(fail::of)?;
        if format < FORMAT {
            return Err(StoreError::Refused(format!(
                "this store is of format {format}, which was never released; this version knows {FORMAT} and does not \
                 convert it: take another namespace, or delete the keys that begin with {}",
                self.prefix
            )));
        }
        if format > FORMAT {
            return Err(StoreError::Refused(format!(
                "a newer version of vastflow wrote this store (format {format}, this one knows {FORMAT}); use that version"
            )));
        }
        Ok(id)
    }

    /// Carries out one step.
    pub(crate) async fn step<B: DeserializeOwned>(
        self: &Arc<Self>,
        script: Script,
        verb: &str,
        ask: &impl Pack,
    ) -> Result<B, StoreError> {
        if self.is_closed.load(Ordering::Acquire) {
            return Err(closed());
        }
        let seen = self.seen.load(Ordering::Acquire);
        let args = pack(&Frame { id: &self.id, seen, is_virtual: self.is_virtual, verb, ask });
        let link = Arc::clone(self);
        let called = self.runtime.spawn(async move { link.call(script, &args).await });
        let bytes = called.await.map_err(|_| closed())??;
        let reply: Reply<B> = unpack(&bytes)?;
        if reply.gone {
            return Err(self.gone());
        }
        self.note(seen, reply.step, reply.forgot);
        if reply.news {
            self.tell();
        }
        reply.body.ok_or_else(|| StoreError::corrupt("a step was answered with nothing"))
    }

    /// Remembers how far the store has come, and says so when it has gone back.
    fn note(&self, seen: u64, step: u64, forgot: u64) {
        if forgot == 0 {
            self.seen.fetch_max(step, Ordering::AcqRel);
        } else if self.seen.compare_exchange(seen, step, Ordering::AcqRel, Ordering::Acquire).is_ok() {
            self.lost.fetch_add(forgot, Ordering::Relaxed);
            tracing::error!(
                "the Redis server has lost the last {forgot} steps that it had acknowledged: it was restored from an older \
                 copy, or another server took its place before it had everything. Runs go on from what is left; starts that \
                 were acknowledged may be gone"
            );
        }
    }

    pub(crate) fn trips(&self) -> u64 {
        self.trips.load(Ordering::Relaxed)
    }

    pub(crate) fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    fn gone(&self) -> StoreError {
        StoreError::corrupt(format!(
            "the store {} is gone from the Redis server: its keys were deleted, or an empty server took its place. If there \
             is a copy of its append-only file, restore it, and start again",
            self.prefix
        ))
    }

    /// Tells whoever may claim that there is news.
    pub(crate) fn tell(self: &Arc<Self>) {
        self.hints.poke();
        let Some(wait) = self.hints.is_due_in() else { return };
        let link = Arc::clone(self);
        self.runtime.spawn(async move {
            tokio::time::sleep(wait).await;
            link.hints.say();
            if let Ok(mut live) = link.live().await {
                // Hints may be lost.
                let _: Result<(), RedisError> = redis::cmd("PUBLISH")
                    .arg(link.channel())
                    .arg(link.hints.own())
                    .query_async(&mut live.connection)
                    .await;
            }
        });
    }

    fn channel(&self) -> String {
        format!("{}news", self.prefix)
    }

    async fn call(&self, script: Script, args: &[u8]) -> Result<Vec<u8>, StoreError> {
        let mut live = self.live().await?;
        let asked = Instant::now();
        let mut answer = self.evaluate(&mut live, script, args).await;
        if matches!(&answer, Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript)) {
            // Somebody made the server forget its scripts.
            live.hashes = load(&mut live.connection, self.prelude).await.map_err(fail::of)?;
            self.keep(live.clone());
            answer = self.evaluate(&mut live, script, args).await;
        }
        match answer {
            Ok(bytes) => {
                self.service.answered(asked);
                Ok(bytes)
            }
            Err(error) => {
                self.service.broke();
                if fail::ends_connection(&error) {
                    self.let_go(live.number);
                }
                Err(fail::of(error))
            }
        }
    }

    async fn evaluate(&self, live: &mut Live, script: Script, args: &[u8]) -> Result<Vec<u8>, RedisError> {
        let Live { connection, hashes, .. } = live;
        let hash = hashes.get(script.place).map_or("", String::as_str);
        let mut call = redis::cmd("EVALSHA");
        call.arg(hash).arg(1).arg(&self.prefix).arg(args);
        self.trips.fetch_add(1, Ordering::Relaxed);
        call.query_async(connection).await
    }

    /// A connection: the one that works, or a new one.
    async fn live(&self) -> Result<Live, StoreError> {
        if let Some(live) = self.working() {
            return Ok(live);
        }
        let _one_at_a_time = self.connecting.lock().await;
        if let Some(live) = self.working() {
            return Ok(live);
        }
        let live = self.connect().await.map_err(|error| self.not_let_in(error));
        let live = live.inspect_err(|_| self.service.broke())?;
        self.keep(live.clone());
        // What was said while nobody listened was missed.
        self.hints.poke();
        Ok(live)
    }

    async fn connect(&self) -> Result<Live, StoreError> {
        let config = self.config.clone();
        let connected = self.client.get_multiplexed_async_connection_with_config(&config).await;
        let mut connection = connected.map_err(fail::of)?;
        self.look_at(&Server::ask(&mut connection).await.map_err(fail::of)?)?;
        let hashes = load(&mut connection, self.prelude).await.map_err(fail::of)?;
        connection.subscribe(self.channel()).await.map_err(fail::of)?;
        static NUMBERS: AtomicU64 = AtomicU64::new(0);
        Ok(Live { number: NUMBERS.fetch_add(1, Ordering::Relaxed), connection, hashes })
    }

    /// Somebody set the server up wrongly, or another one that took its place, or changed a password, while work goes on:
    /// it goes on when that is mended.
    fn not_let_in(&self, error: StoreError) -> StoreError {
        match error {
            StoreError::Refused(why) if self.worth.get().is_some() => StoreError::unavailable(why),
            other => other,
        }
    }

    /// Whether a server does, also one that took the place of the one that was there when the store was opened.
    fn look_at(&self, server: &Server) -> Result<(), StoreError> {
        server.check(self.at_least)?;
        if server.durability() < *self.worth.get_or_init(|| server.durability()) {
            tracing::warn!("an acknowledged commit is worth less than when the store was opened: {}", server.word());
        }
        Ok(())
    }

    fn working(&self) -> Option<Live> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn keep(&self, live: Live) {
        *self.live.lock().unwrap_or_else(PoisonError::into_inner) = Some(live);
    }

    /// This connection is of no use any more.
    fn let_go(&self, number: u64) {
        let mut live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        live.take_if(|live| live.number == number);
    }

    /// From now on everything is answered [`StoreError::Closed`].
    pub(crate) fn close(&self) {
        self.is_closed.store(true, Ordering::Release);
        *self.live.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Acquire)
    }

    pub(crate) const fn is_virtual(&self) -> bool {
        self.is_virtual
    }

    pub(crate) fn prefix(&self) -> &str {
        &self.prefix
    }
}

/// The layout of the keys. A store with another one is not touched.
const FORMAT: u32 = 2;

/// Gives the server the scripts; it answers by what names it knows them.
async fn load(connection: &mut MultiplexedConnection, prelude: &str) -> Result<Arc<[String]>, RedisError> {
    let mut all = redis::pipe();
    for script in script::ALL {
        all.cmd("SCRIPT").arg("LOAD").arg(script.text(prelude));
    }
    let hashes: Vec<String> = all.query_async(connection).await?;
    Ok(hashes.into())
}
