//! Connections: how they are made, lent, and thrown away.

use crate::fail::{self, driver, refused};
use crate::options::{Options, Tls};
use crate::tls::Connector;
use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, PoolError, RecyclingMethod, Runtime};
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Config, Row};
use vastflow_store::{Durability, StoreError};

/// The oldest server that is tested against.
const OLDEST: i32 = 150_000;
/// What the client waits longer than the server, so that it is mostly the server that says why.
const GRACE: Duration = Duration::from_secs(2);
const CONNECT: Duration = Duration::from_secs(5);

/// The connections of one store.
pub(crate) struct Connections {
    pool: Pool,
    pub(crate) config: Config,
    pub(crate) connector: Connector,
    /// How many may look something up at once: commits, claims and signs of life must not wait for lists.
    looks: Semaphore,
    /// What begins each transaction behind a pooler, where sessions have no settings.
    begin: Option<String>,
    most: Duration,
    round_trips: AtomicU64,
    /// The server was there once, and took us in.
    was_open: AtomicBool,
}

impl Connections {
    pub(crate) fn new(options: &Options, tls: &Tls) -> Result<Self, StoreError> {
        let mut config = Config::from_str(&options.url).map_err(|error| {
            let why = shown(&error);
            refused("postgres-url", format!("the URL is not understood{why}; write postgres://user@host/database"))
        })?;
        if config.get_hosts().is_empty() {
            return Err(refused("postgres-url", "the URL names no host; write postgres://user@host/database"));
        }
        if config.get_application_name().is_none() {
            config.application_name("vastflow");
        }
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT);
        }
        config.tcp_user_timeout(options.statement_timeout + GRACE);
        config
            .keepalives_idle(Duration::from_secs(10))
            .keepalives_interval(Duration::from_secs(5))
            .keepalives_retries(2);
        if !options.transaction_pooling {
            config.options(session(options, config.get_options()));
        }
        let connector = Connector::new(tls)?;
        let manager = Manager::from_config(
            config.clone(),
            connector.clone(),
            ManagerConfig { recycling_method: RecyclingMethod::Fast },
        );
        let size = options.connections.max(options.writers + 2);
        let looks = Semaphore::new(size - options.writers - 1);
        let pool = Pool::builder(manager)
            .max_size(size)
            .wait_timeout(Some(options.statement_timeout))
            .create_timeout(Some(CONNECT + GRACE))
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(|error| refused("postgres-pool", error))?;
        let most = options.statement_timeout + GRACE;
        let begin = options.transaction_pooling.then(|| {
            let set: String = settings(options).map(|(name, value)| format!("; SET LOCAL {name} = {value}")).concat();
            format!("BEGIN ISOLATION LEVEL READ COMMITTED{set}")
        });
        let (round_trips, was_open) = (AtomicU64::new(0), AtomicBool::new(false));
        Ok(Connections { pool, config, connector, looks, begin, most, round_trips, was_open })
    }

    /// A connection, out of those that are open or a new one.
    pub(crate) async fn lend(&self) -> Result<Lent<'_>, StoreError> {
        let object = self.pool.get().await.map_err(|error| match error {
            PoolError::Backend(error) => self.not_let_in(driver("connecting to PostgreSQL", error)),
            PoolError::Timeout(_) => StoreError::unavailable("no connection to PostgreSQL came free in time"),
            other => StoreError::unavailable(format!("connecting to PostgreSQL: {other}")),
        })?;
        Ok(Lent { object: Some(object), of: self })
    }

    /// The store is open: the server is one that does.
    pub(crate) fn are_good(&self) {
        self.was_open.store(true, Ordering::Release);
    }

    /// Who was let in before is let in again when somebody has mended what is wrong now: a password that was changed, a
    /// database that is being restored. Until then work waits.
    fn not_let_in(&self, error: StoreError) -> StoreError {
        match error {
            StoreError::Refused(why) if self.was_open.load(Ordering::Acquire) => StoreError::unavailable(why),
            other => other,
        }
    }

    /// A connection is broken. What broke it mostly broke those that wait for work, too, and where the network is cut in
    /// silence each of them would cost another call its time.
    fn forget(&self, broken: Object) {
        drop(Object::take(broken));
        self.pool.retain(|_, _| false);
    }

    /// Round trips to the server since the store was opened.
    pub(crate) fn round_trips(&self) -> u64 {
        self.round_trips.load(Ordering::Relaxed)
    }

    /// One statement that looks something up, on any connection but the last few.
    pub(crate) async fn rows(&self, doing: &str, sql: &str, with: &[Parameter<'_>]) -> Result<Vec<Row>, StoreError> {
        let late = || StoreError::unavailable(format!("{doing}: too much else is looked up at once"));
        let _look = tokio::time::timeout(self.most, self.looks.acquire()).await.map_err(|_| late())?;
        self.lend().await?.rows(doing, sql, with).await
    }

    pub(crate) fn close(&self) {
        self.pool.close();
    }
}

/// A value and its type.
pub(crate) type Parameter<'a> = (&'a (dyn ToSql + Sync), Type);

/// What every session of ours is set to.
fn settings(options: &Options) -> [(&'static str, u128); 4] {
    let (statement, lock) = (options.statement_timeout.as_millis(), options.lock_timeout.as_millis());
    [
        ("statement_timeout", statement),
        ("lock_timeout", lock),
        ("idle_in_transaction_session_timeout", statement),
        ("jit", 0),
    ]
}

/// What the store stands on comes last, and before it the user's own, which win over the rest.
fn session(options: &Options, given: Option<&str>) -> String {
    let set: String = settings(options).map(|(name, value)| format!("-c {name}={value} ")).concat();
    // The store's functions look again at what they have waited for: windows would let in too many otherwise.
    format!("{set}{} -c default_transaction_isolation=read\\ committed", given.unwrap_or_default())
}

/// Why a URL is not understood, without what stands in it: that may be a password, or a part of one.
fn shown(error: &tokio_postgres::Error) -> String {
    let why = fail::plain(error);
    let mut quoted = why.split('`').skip(1).step_by(2);
    let is_a_name = |text: &str| text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    if quoted.all(is_a_name) { format!(": {why}") } else { String::new() }
}

/// A connection in use. When something broke it, or a call on it was given up, it does not go back.
pub(crate) struct Lent<'a> {
    object: Option<Object>,
    of: &'a Connections,
}

/// Why a statement failed, for those who try again.
pub(crate) enum Failed {
    Said(tokio_postgres::Error),
    /// It took too long, and was given up.
    Late,
    /// It was not sent.
    Unsent(StoreError),
}

impl From<StoreError> for Failed {
    fn from(error: StoreError) -> Self {
        Failed::Unsent(error)
    }
}

impl Failed {
    pub(crate) fn into_error(self, doing: &str) -> StoreError {
        match self {
            Failed::Said(error) => driver(doing, error),
            Failed::Late => StoreError::unavailable(format!("{doing}: PostgreSQL did not answer in time")),
            Failed::Unsent(error) => error,
        }
    }

    pub(crate) fn kind(&self) -> fail::Kind {
        match self {
            Failed::Said(error) => fail::kind(error),
            Failed::Late | Failed::Unsent(_) => fail::Kind::Later,
        }
    }
}

impl Lent<'_> {
    /// The driver's client.
    pub(crate) fn client(&self) -> Result<&tokio_postgres::Client, StoreError> {
        self.object.as_ref().map(|object| &***object).ok_or_else(|| StoreError::unavailable("the connection is broken"))
    }

    /// One statement.
    pub(crate) async fn rows(
        &mut self,
        doing: &str,
        sql: &str,
        with: &[Parameter<'_>],
    ) -> Result<Vec<Row>, StoreError> {
        self.try_rows(sql, with).await.map_err(|failed| failed.into_error(doing))
    }

    /// One statement that cannot be part of a transaction. Behind a pooler the server has no time-out for it: who waits for
    /// longer gives the connection up.
    pub(crate) async fn alone(&mut self, doing: &str, sql: &str) -> Result<(), StoreError> {
        let Some(object) = self.object.take() else { return Err(Failed::Late.into_error(doing)) };
        self.of.round_trips.fetch_add(1, Ordering::Relaxed);
        match tokio::time::timeout(self.of.most, object.batch_execute(sql)).await {
            Ok(done) => {
                if done.as_ref().err().is_some_and(fail::spoils) {
                    self.of.forget(object);
                } else {
                    self.object = Some(object);
                }
                done.map_err(|error| driver(doing, error))
            }
            Err(_) => {
                // It is not broken, and nor are the others.
                drop(Object::take(object));
                Err(Failed::Late.into_error(doing))
            }
        }
    }

    /// One statement, one round trip; preparing it the first time is another.
    pub(crate) async fn try_rows(&mut self, sql: &str, with: &[Parameter<'_>]) -> Result<Vec<Row>, Failed> {
        let Some(object) = self.object.take() else { return Err(Failed::Late) };
        self.of.round_trips.fetch_add(1, Ordering::Relaxed);
        let asked = ask(&object, sql, with, self.of.begin.as_deref());
        match tokio::time::timeout(self.of.most, asked).await {
            Ok(Ok(rows)) => {
                self.object = Some(object);
                Ok(rows)
            }
            Ok(Err(error)) => {
                if fail::spoils(&error) {
                    self.of.forget(object);
                } else {
                    self.object = Some(object);
                }
                Err(Failed::Said(error))
            }
            Err(_) => {
                self.of.forget(object);
                Err(Failed::Late)
            }
        }
    }
}

async fn ask(
    object: &Object,
    sql: &str,
    with: &[Parameter<'_>],
    begin: Option<&str>,
) -> Result<Vec<Row>, tokio_postgres::Error> {
    if let Some(begin) = begin {
        // All three are sent before the first is answered: one round trip. After a failure there is nothing to commit.
        let all = tokio::join!(biased; object.batch_execute(begin), object.query_typed(sql, with), object.batch_execute("COMMIT"));
        let (begun, rows, committed) = all;
        begun?;
        let rows = rows?;
        return committed.map(|()| rows);
    }
    let types: Vec<Type> = with.iter().map(|(_, of)| of.clone()).collect();
    let values: Vec<&(dyn ToSql + Sync)> = with.iter().map(|(value, _)| *value).collect();
    let statement = object.prepare_typed_cached(sql, &types).await?;
    object.query(&statement, &values).await
}

/// Looks whether this is a server that the store can live on, and what its word is worth.
pub(crate) async fn check_server(connections: &Connections) -> Result<Durability, StoreError> {
    let sql = "SELECT current_setting('server_version_num')::int, current_setting('server_version'), pg_is_in_recovery(), \
               current_setting('default_transaction_read_only') = 'on', current_setting('fsync') = 'off', \
               current_setting('synchronous_commit') = 'off', current_setting('server_encoding')";
    let rows = connections.rows("looking at the server", sql, &[]).await?;
    let row = rows.first().ok_or_else(|| StoreError::unavailable("PostgreSQL said nothing of itself"))?;
    let (version, shown): (i32, String) = (row.get(0), row.get(1));
    if version < OLDEST {
        return Err(refused(
            "postgres-version",
            format!("the server is PostgreSQL {shown}; the store needs {} or later: upgrade it", OLDEST / 10_000),
        ));
    }
    if row.get(2) || row.get(3) {
        let why = if row.get(2) { "is a standby" } else { "was told to do so" };
        return Err(refused(
            "postgres-read-only",
            format!("the server only reads: it {why}; point the URL at the primary"),
        ));
    }
    if row.get::<_, &str>(6) != "UTF8" {
        let encoding: &str = row.get(6);
        return Err(refused(
            "postgres-encoding",
            format!("the database's encoding is {encoding}; create one with ENCODING 'UTF8'"),
        ));
    }
    if row.get(4) {
        tracing::warn!("the server runs with fsync = off: a power cut may destroy the database");
        return Ok(Durability::Server);
    }
    if row.get(5) {
        tracing::warn!(
            "synchronous_commit is off for this user: a crash of the server may take back acknowledged commits"
        );
        return Ok(Durability::Lagging);
    }
    Ok(Durability::Synced)
}
