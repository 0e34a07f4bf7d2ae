//! One URL chooses the store; nothing else changes.

use async_trait::async_trait;
use std::sync::Arc;
use vastflow_store::{MemoryStore, Store, StoreError};
use vastflow_worker::{Engine, EngineBuilder};

/// A store could not be opened from its URL.
/// Its `Debug` is the same text, because that is what a `main` that returns it prints.
#[derive(Clone)]
pub struct OpenError {
    url: String,
    why: String,
}

impl std::fmt::Display for OpenError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "cannot open the store {:?}: {}", self.url, self.why)
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
    opened.map_err(|error| OpenError { url: without_secret(url), why: error.to_string() })
}

/// A URL without the user and password that may be in it: this text is printed and logged.
fn without_secret(url: &str) -> String {
    match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, place))) => format!("{scheme}://…@{place}"),
        _ => url.to_owned(),
    }
}

#[cfg(feature = "sqlite")]
async fn open_sqlite(path: &str) -> Result<Arc<dyn Store>, StoreError> {
    let path = path.strip_prefix("//").unwrap_or(path);
    if let Some((file, options)) = path.split_once('?') {
        return Err(StoreError::Refused(format!(
            "a SQLite store has no options, and \"?{options}\" looks like some; write sqlite:{file}, and to only read its \
             tables use the sqlite3 command"
        )));
    }
    let path = std::path::PathBuf::from(path);
    if path.as_os_str().is_empty() {
        return Err(StoreError::Refused("it names no file; write sqlite:app.db".into()));
    }
    if path.as_os_str() == ":memory:" {
        return Err(StoreError::Refused("a store that forgets is written memory:".into()));
    }
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

#[cfg(test)]
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
}
