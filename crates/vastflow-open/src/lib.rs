//! One URL chooses the store; nothing else changes. This is the one place that knows all stores.
//!
//! [`open`] opens a store to work on it, [`look`] to look into it, which also works where another process has a file open,
//! and [`watch`] to look again and again.
//!
//! **Absent:** anything that a store does; which stores a program knows is up to its features.

use async_trait::async_trait;
use std::sync::Arc;
use vastflow_store::{MemoryStore, Store, StoreError};
use vastflow_worker::{Engine, EngineBuilder};

/// A store could not be opened from its URL.
/// Its `Debug` is the same text, because that is what a `main` that returns it prints.
#[derive(Clone)]
pub struct OpenError {
    url: String,
    source: StoreError,
}

impl OpenError {
    /// What the store said.
    #[must_use]
    pub const fn reason(&self) -> &StoreError {
        &self.source
    }
}

impl std::fmt::Display for OpenError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "cannot open the store {:?}: {}", self.url, self.source)
    }
}

impl std::fmt::Debug for OpenError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for OpenError {}

/// `Engine::open(url)`.
#[async_trait]
pub trait Open {
    /// An engine on the store at `url`: `sqlite:app.db` for a file, `redis://host/` for a fleet, `memory:` for tests. See
    /// [`open`].
    ///
    /// # Errors
    /// [`OpenError`] when the URL is not understood, or the store is in use, damaged or out of reach.
    async fn open(url: &str) -> Result<EngineBuilder, OpenError>;
}

#[async_trait]
impl Open for Engine {
    async fn open(url: &str) -> Result<EngineBuilder, OpenError> {
        Ok(Engine::on(open(url).await?))
    }
}

/// Opens the store at `url`.
///
/// | URL | store |
/// |---|---|
/// | `sqlite:app.db`, `sqlite:/var/lib/app.db` | a file, for one process; an acknowledged commit survives a power cut |
/// | `redis://host:6379/0` | a Redis or Valkey server, for a fleet; needs the feature `redis`. What an acknowledged commit is worth depends on how the server is set up |
/// | `postgres://user@host/database` | a PostgreSQL database, for a fleet of workers; feature `postgres` |
/// | `memory:` | nothing survives the process; for tests |
///
/// # Errors
/// [`OpenError`] when the URL is not understood, or the store is in use, damaged or out of reach.
pub async fn open(url: &str) -> Result<Arc<dyn Store>, OpenError> {
    let (scheme, rest) = url.split_once(':').unwrap_or(("", url));
    let opened = match scheme {
        "memory" => Ok(Arc::new(MemoryStore::new()) as Arc<dyn Store>),
        "sqlite" => open_sqlite(rest).await,
        "redis" => open_redis(url).await,
        "postgres" | "postgresql" => open_postgres(url).await,
        "rediss" => Err(StoreError::Refused(
            "this version speaks no TLS to Redis; write redis:// for a server on a network that you trust, or behind a tunnel, \
             or sqlite:app.db for a file"
                .into(),
        )),
        _ => Err(StoreError::Refused(
            "it is not a store URL; write sqlite:app.db for a file, or memory: for tests".into(),
        )),
    };
    opened.map_err(|source| OpenError { url: without_secret(url), source })
}

/// A store that is looked into.
#[derive(Clone)]
pub struct Look {
    /// The store.
    pub store: Arc<dyn Store>,
    /// Who has it open, if another process has, so that only what its tables show is seen here.
    pub holder: Option<String>,
}

/// Opens the store at `url` to look into it. A file is read as its tables show it where they have all there is, or where
/// another process has it open; so looking is in nobody's way. It is not made if it is not there.
///
/// # Errors
/// As [`open`]; [`StoreError::NotFound`] as the reason when there is no such file.
pub async fn look(url: &str) -> Result<Look, OpenError> {
    let Some(reader) = reader(url).await.map_err(|source| OpenError { url: without_secret(url), source })? else {
        return Ok(Look { store: open(url).await?, holder: None });
    };
    if reader.is_whole {
        return Ok(Look { store: reader.store, holder: None });
    }
    match (open(url).await, reader.holder) {
        (Ok(store), _) => Ok(Look { store, holder: None }),
        (Err(_), Some(holder)) => Ok(Look { store: reader.store, holder: Some(holder) }),
        (Err(error), None) => Err(error),
    }
}

/// The same for looking again and again: another process can open the file meanwhile, and what it does is seen.
///
/// # Errors
/// As [`look`].
pub async fn watch(url: &str) -> Result<Look, OpenError> {
    match reader(url).await.map_err(|source| OpenError { url: without_secret(url), source })? {
        Some(reader) => Ok(Look { store: reader.store, holder: reader.holder }),
        None => Ok(Look { store: open(url).await?, holder: None }),
    }
}

/// The tables of a store in a file.
struct Reader {
    store: Arc<dyn Store>,
    holder: Option<String>,
    is_whole: bool,
}

/// The tables of the store at `url`; none when it is not in a file.
#[cfg(feature = "sqlite")]
async fn reader(url: &str) -> Result<Option<Reader>, StoreError> {
    let Some(path) = url.strip_prefix("sqlite:") else { return Ok(None) };
    let path = sqlite_path(path)?;
    if !path.exists() {
        return Err(StoreError::NotFound { what: format!("file {}", path.display()) });
    }
    let opening = tokio::task::spawn_blocking(move || vastflow_sqlite::SqliteReader::open(path)).await;
    let reader = opening.map_err(|error| StoreError::unavailable(error.to_string()))??;
    let (holder, is_whole) = (reader.holder(), reader.is_whole());
    Ok(Some(Reader { store: Arc::new(reader), holder, is_whole }))
}

#[cfg(not(feature = "sqlite"))]
async fn reader(_: &str) -> Result<Option<Reader>, StoreError> {
    Ok(None)
}

/// The file of a store at `url`, if it is in a file.
#[must_use]
pub fn file_of(url: &str) -> Option<std::path::PathBuf> {
    sqlite_path(url.strip_prefix("sqlite:")?).ok()
}

/// A URL without the user and password that may be in it: this text is printed and logged.
#[must_use]
pub fn without_secret(url: &str) -> String {
    match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, place))) => format!("{scheme}://…@{place}"),
        _ => url.to_owned(),
    }
}

fn sqlite_path(path: &str) -> Result<std::path::PathBuf, StoreError> {
    let path = path.strip_prefix("//").unwrap_or(path);
    if let Some((file, options)) = path.split_once('?') {
        return Err(StoreError::Refused(format!(
            "a SQLite store has no options, and \"?{options}\" looks like some; write sqlite:{file}, and to only read its \
             tables use the sqlite3 command"
        )));
    }
    match path {
        "" => Err(StoreError::Refused("it names no file; write sqlite:app.db".into())),
        ":memory:" => Err(StoreError::Refused("a store that forgets is written memory:".into())),
        path => Ok(path.into()),
    }
}

#[cfg(feature = "sqlite")]
async fn open_sqlite(path: &str) -> Result<Arc<dyn Store>, StoreError> {
    let path = sqlite_path(path)?;
    if tokio::runtime::Handle::try_current().is_err() {
        return Err(StoreError::Refused("there is no tokio runtime here; open it in #[tokio::main]".into()));
    }
    let opened = tokio::task::spawn_blocking(move || vastflow_sqlite::SqliteStore::open(path)).await;
    let store = opened.map_err(|error| StoreError::unavailable(error.to_string()))??;
    Ok(Arc::new(store))
}

#[cfg(not(feature = "sqlite"))]
async fn open_sqlite(_: &str) -> Result<Arc<dyn Store>, StoreError> {
    Err(StoreError::Refused("this program was built without the feature \"sqlite\"; add it in Cargo.toml".into()))
}

#[cfg(feature = "redis")]
async fn open_redis(url: &str) -> Result<Arc<dyn Store>, StoreError> {
    Ok(Arc::new(vastflow_redis::RedisStore::open(url).await?))
}

#[cfg(not(feature = "redis"))]
async fn open_redis(_: &str) -> Result<Arc<dyn Store>, StoreError> {
    Err(StoreError::Refused("this program was built without the feature \"redis\"; add it in Cargo.toml".into()))
}

#[cfg(feature = "postgres")]
async fn open_postgres(url: &str) -> Result<Arc<dyn Store>, StoreError> {
    Ok(Arc::new(vastflow_postgres::PostgresStore::open(url).await?))
}

#[cfg(not(feature = "postgres"))]
async fn open_postgres(_: &str) -> Result<Arc<dyn Store>, StoreError> {
    Err(StoreError::Refused(
        "this program was built without the feature \"postgres\"; add it in Cargo.toml, or write sqlite:app.db for a file".into(),
    ))
}

#[cfg(all(test, feature = "sqlite"))]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_url_that_is_refused_is_told_without_its_password() {
        for url in ["rediss://u:secret@h/0", "mysql://u:secret@h/db"] {
            let error = Engine::open(url).await.err().map(|error| error.to_string()).unwrap_or_default();
            assert!(error.contains("sqlite:app.db") && !error.contains("secret"), "{error}");
        }
        let error =
            Engine::open("sqlite:app.db?mode=ro").await.err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.contains("no options") && error.contains("write sqlite:app.db,"), "{error}");
        assert!(!std::path::Path::new("app.db").exists());
        let error = Engine::open("sqlite::memory:").await.err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.contains("memory:"), "{error}");
    }

    #[tokio::test]
    async fn a_store_that_another_holds_can_be_looked_into() {
        let dir = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", dir.path().join("app.db").display());
        let held = open(&url).await.unwrap();
        assert!(open(&url).await.err().unwrap().to_string().contains("in use by process"));
        let seen = look(&url).await.unwrap();
        assert!(seen.holder.unwrap().starts_with("process "));
        assert_eq!(seen.store.counts().await.unwrap().unfinished(), 0);
        held.close().await.unwrap();
        drop(held);
        assert!(look(&url).await.unwrap().holder.is_none(), "nobody has it any more");
        let seen = watch(&url).await.unwrap();
        let held = open(&url).await.unwrap();
        assert_eq!(seen.store.counts().await.unwrap(), held.counts().await.unwrap(), "who watches is in nobody's way");
        let missing = look("sqlite:no-such-file.db").await.err().unwrap();
        assert_eq!(missing.reason().code(), "store-not-found");
    }
}
