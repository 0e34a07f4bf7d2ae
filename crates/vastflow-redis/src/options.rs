//! What can be chosen when a store is opened.

use redis::{ConnectionInfo, IntoConnectionInfo, ProtocolVersion};
use std::fmt;
use std::time::Duration;
use vastflow_store::{Durability, StoreError};

/// How long an answer may take before the connection counts as dead.
const PATIENCE: Duration = Duration::from_secs(5);

/// How a store is to be opened: its URL, and what differs from the usual.
///
/// ```
/// use std::time::Duration;
/// use vastflow_redis::RedisOptions;
///
/// let options = RedisOptions::new("redis://127.0.0.1/0")
///     .namespace("orders")
///     .patience(Duration::from_secs(2));
/// # let _ = options;
/// ```
#[derive(Clone)]
#[must_use]
pub struct RedisOptions {
    url: String,
    namespace: String,
    at_least: Durability,
    pub(crate) patience: Duration,
    pub(crate) is_virtual: bool,
    pub(crate) prelude: &'static str,
}

/// What it was told is not shown, nor what is no word: it may be a password, or a part of one.
fn not_known(name: &str) -> StoreError {
    let is_word = !name.is_empty() && name.chars().all(|letter| letter.is_ascii_lowercase() || letter == '_');
    let what = if is_word { format!("{name:?} with this value") } else { "something behind the ?".to_owned() };
    StoreError::Refused(format!(
        "{what} is nothing that a Redis store can be told in its URL; it knows namespace=NAME and durability=server, lagging or \
         synced; a ? in a password is written %3F"
    ))
}

impl RedisOptions {
    /// The store at `url`: `redis://[user:password@]host[:port][/db]`. It may end in `?namespace=…` and
    /// `?durability=server|lagging|synced`, which do what [`namespace`](Self::namespace) and
    /// [`at_least`](Self::at_least) do.
    pub fn new(url: impl Into<String>) -> Self {
        RedisOptions {
            url: url.into(),
            namespace: "vastflow".into(),
            at_least: Durability::Lagging,
            patience: PATIENCE,
            is_virtual: false,
            prelude: "",
        }
    }

    /// What the names of all keys begin with; `vastflow` unless said. Stores with different namespaces do not know of
    /// each other.
    pub fn namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespace = namespace.into();
        self
    }

    /// The least that an acknowledged commit must be worth; a server that is set up for less is refused. Unless said it
    /// is [`Durability::Lagging`], which an append-only file that is synced every second gives.
    pub const fn at_least(mut self, durability: Durability) -> Self {
        self.at_least = durability;
        self
    }

    /// How long an answer may take before the connection counts as dead and the call as not answered; 5 s unless said.
    pub const fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Time is what callers say it is, and not what the server's clock says: for tests of stores, whose time is their
    /// own. All who use the store have to say so.
    #[doc(hidden)]
    pub const fn virtual_time(mut self) -> Self {
        self.is_virtual = true;
        self
    }

    /// Something in Lua that stands before every script: for tests that break scripts at every one of their calls.
    #[doc(hidden)]
    pub const fn prelude(mut self, lua: &'static str) -> Self {
        self.prelude = lua;
        self
    }

    /// The address, and the rest as it holds with what the URL says.
    pub(crate) fn resolve(&self) -> Result<Resolved, StoreError> {
        let refused = |why: &str| StoreError::Refused(format!("{why}; write redis://host:6379/0"));
        let url = redis::parse_redis_url(&self.url).ok_or_else(|| refused("it is not the URL of a Redis server"))?;
        let (mut namespace, mut at_least) = (self.namespace.clone(), self.at_least);
        for (name, value) in url.query_pairs() {
            match (&*name, &*value) {
                ("namespace", value) => namespace = value.into(),
                ("durability", "server") => at_least = Durability::Server,
                ("durability", "lagging") => at_least = Durability::Lagging,
                ("durability", "synced") => at_least = Durability::Synced,
                (name, _) => return Err(not_known(name)),
            }
        }
        if namespace.is_empty() || namespace.contains(['{', '}']) {
            return Err(refused("a namespace is a text without braces"));
        }
        let mut plain = url.clone();
        plain.set_query(None);
        let info = plain.into_connection_info().map_err(|why| refused(&why.to_string()))?;
        // One connection carries both answers and hints.
        let settings = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
        Ok(Resolved { info: info.set_redis_settings(settings), prefix: format!("{{{namespace}:0}}:"), at_least })
    }
}

impl fmt::Debug for RedisOptions {
    /// Without the password that the URL may hold.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = redis::parse_redis_url(&self.url).and_then(|mut url| {
            let hidden = url.password().map(|_| "***");
            url.set_password(hidden).ok().map(|()| url.to_string())
        });
        f.debug_struct("RedisOptions")
            .field("url", &shown.as_deref().unwrap_or("(no URL of a Redis server)"))
            .field("namespace", &self.namespace)
            .field("at_least", &self.at_least)
            .field("patience", &self.patience)
            .finish_non_exhaustive()
    }
}

/// Where the store is, and what is asked of it.
pub(crate) struct Resolved {
    pub(crate) info: ConnectionInfo,
    /// What all keys begin with. The braces are Redis Cluster's: what stands in them decides where a key is, so that
    /// all keys of a partition are on one server. There is one partition, 0.
    pub(crate) prefix: String,
    pub(crate) at_least: Durability,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_may_say_the_rest() {
        let resolved = RedisOptions::new("redis://h/3?namespace=n&durability=synced").resolve().unwrap();
        assert_eq!((resolved.prefix.as_str(), resolved.at_least), ("{n:0}:", Durability::Synced));
        assert_eq!(resolved.info.redis_settings().db(), 3);
    }

    #[test]
    fn a_password_is_not_shown() {
        let shown = format!("{:?}", RedisOptions::new("redis://ann:secret@h:7/3"));
        assert!(shown.contains("ann:***@h:7/3") && !shown.contains("secret"), "{shown}");
        let plain = format!("{:?}", RedisOptions::new("redis://h/3"));
        assert!(plain.contains("redis://h/3"), "{plain}");
        assert!(!format!("{:?}", RedisOptions::new("http://:secret@h")).contains("secret"));
        for url in ["redis://h/?pass=secret", "redis+unix:///s?user=ann&pass=secret", "redis://ann:secret@h/x?y=1"] {
            let why = RedisOptions::new(url).resolve().err().map(|why| why.to_string()).unwrap_or_default();
            assert!(!why.is_empty() && !why.contains("secret"), "{url}: {why}");
        }
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for url in ["http://h", "redis://h/?namespce=n", "redis://h/?durability=much", "redis://h/?namespace={a"] {
            assert!(matches!(RedisOptions::new(url).resolve(), Err(StoreError::Refused(_))), "{url}");
        }
    }
}
