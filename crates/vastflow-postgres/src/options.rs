//! How a store is to be opened.

use crate::fail;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;
use vastflow_store::StoreError;

/// The longest name that PostgreSQL gives to anything is 63 bytes, and names of channels are made of the schema's.
const MAX_SCHEMA: usize = 40;

/// How a store is to be opened. The defaults are right for most; a URL is all that is needed.
///
/// ```
/// use std::time::Duration;
/// use vastflow_postgres::Options;
///
/// let options = Options::new("postgres://app@db.example/app")
///     .schema("orders")
///     .connections(12)
///     .statement_timeout(Duration::from_secs(5));
/// assert!(!format!("{options:?}").contains("db.example"), "what is printed has no secrets");
/// ```
#[derive(Clone)]
#[must_use]
pub struct Options {
    pub(crate) url: String,
    pub(crate) schema: String,
    pub(crate) connections: usize,
    pub(crate) writers: usize,
    pub(crate) transaction_pooling: bool,
    pub(crate) migrate: bool,
    pub(crate) poll: Duration,
    pub(crate) debounce: Duration,
    pub(crate) statement_timeout: Duration,
    pub(crate) lock_timeout: Duration,
    pub(crate) virtual_time: Option<Arc<Heard>>,
}

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options")
            .field("schema", &self.schema)
            .field("connections", &self.connections)
            .field("writers", &self.writers)
            .field("transaction_pooling", &self.transaction_pooling)
            .field("migrate", &self.migrate)
            .finish_non_exhaustive()
    }
}

impl Options {
    /// The defaults, for the database at `url`: `postgres://user:password@host:port/database`, with the parameters of
    /// libpq; [`Options::schema`] may also be said there, as `?schema=orders`, and [`Options::transaction_pooling`] as
    /// `?pgbouncer=true`.
    pub fn new(url: impl Into<String>) -> Self {
        Options {
            url: url.into(),
            schema: "vastflow".into(),
            connections: 8,
            writers: 2,
            transaction_pooling: false,
            migrate: true,
            poll: Duration::from_millis(250),
            debounce: Duration::from_millis(4),
            statement_timeout: Duration::from_secs(10),
            lock_timeout: Duration::from_secs(5),
            virtual_time: None,
        }
    }

    /// The schema that holds all of the store's tables; `vastflow` unless said otherwise. Stores in different schemas of
    /// one database know nothing of each other.
    pub fn schema(mut self, name: impl Into<String>) -> Self {
        self.schema = name.into();
        self
    }

    /// The most connections that this process opens, besides one that listens; 8 unless said otherwise.
    pub const fn connections(mut self, most: usize) -> Self {
        self.connections = most;
        self
    }

    /// How many batches may be on their way at once, at least one; 2 unless said otherwise. While they are, further commits
    /// gather.
    pub const fn writers(mut self, count: usize) -> Self {
        self.writers = if count == 0 { 1 } else { count };
        self
    }

    /// The server is reached through a pooler that gives out connections for one transaction each, as PgBouncer does
    /// with `pool_mode = transaction`. Then nothing is prepared, each transaction says how long it may take instead of the
    /// session, and since nobody can listen there, work of other processes is looked for every [`Options::poll`].
    pub const fn transaction_pooling(mut self, is_so: bool) -> Self {
        self.transaction_pooling = is_so;
        self
    }

    /// Whether opening the store brings its tables up to date; it does unless said otherwise. Without it, a store whose
    /// tables are too old is refused.
    pub const fn migrate(mut self, may: bool) -> Self {
        self.migrate = may;
        self
    }

    /// How often to look for work while nobody tells of it, because the listening connection is down or there is none;
    /// 250 ms, a quarter more or less by chance, unless said otherwise.
    pub const fn poll(mut self, every: Duration) -> Self {
        self.poll = every;
        self
    }

    /// How long the server may work on one call; 10 s unless said otherwise. The client gives up a little later.
    pub const fn statement_timeout(mut self, most: Duration) -> Self {
        self.statement_timeout = most;
        self
    }

    /// How long a call may wait for a lock; 5 s unless said otherwise.
    pub const fn lock_timeout(mut self, most: Duration) -> Self {
        self.lock_timeout = most;
        self
    }

    /// Leases and timers are judged by the times that callers pass, not by the server's clock. For tests.
    #[doc(hidden)]
    pub fn virtual_time(mut self) -> Self {
        self.virtual_time = Some(Arc::default());
        self
    }

    /// Takes the parameters out of the URL that the driver does not know.
    pub(crate) fn read_url(mut self) -> Result<(Self, Tls), StoreError> {
        let mut tls = Tls::default();
        let url = self.url.clone();
        if url.contains("://") && !["postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme)) {
            // It is not shown: there may be a password in it.
            return Err(fail::refused("postgres-url", "the URL does not begin with postgres:// or postgresql://"));
        }
        // There may be a question mark in the password, and an @ in what follows the host.
        let host = url.find("://").map_or(0, |at| at + 3);
        let login = url.get(host..).and_then(|rest| rest.split('/').next()).and_then(|login| login.rfind('@'));
        let after_login = login.map_or(0, |at| host + at);
        let at = url.get(after_login..).and_then(|rest| rest.find('?')).map(|at| after_login + at);
        if let Some((place, query)) = at.and_then(|at| Some((url.get(..at)?, url.get(at + 1..)?))) {
            let mut kept = Vec::new();
            for pair in query.split('&').filter(|pair| !pair.is_empty()) {
                match pair.split_once('=').unwrap_or((pair, "")) {
                    ("schema", name) => self.schema = name.to_owned(),
                    ("pgbouncer", word) => self.transaction_pooling = yes_or_no(word)?,
                    ("sslmode", mode) => {
                        tls.mode = Some(mode.to_owned());
                        kept.push(format!("sslmode={}", driver_mode(mode)));
                    }
                    ("sslrootcert", path) => tls.root_cert = Some(unescape(path)),
                    _ => kept.push(pair.to_owned()),
                }
            }
            if tls.root_cert.is_some() && tls.mode.is_none() {
                // Who says whom to trust does not want to talk to just anybody, nor in the open.
                kept.push("sslmode=require".into());
            }
            self.url = if kept.is_empty() { place.to_owned() } else { format!("{place}?{}", kept.join("&")) };
        }
        check_schema(&self.schema)?;
        Ok((self, tls))
    }
}

/// Virtual time: the latest that was heard of, and that of the latest claim. Stores that are opened with clones of the
/// same options share it, as they would share the server's clock.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    pub(crate) latest: AtomicU64,
    pub(crate) claimed: AtomicU64,
}

/// What the URL says of TLS.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tls {
    pub(crate) mode: Option<String>,
    pub(crate) root_cert: Option<String>,
}

/// The mode as the driver knows it: whose certificate it is, is looked at elsewhere.
fn driver_mode(mode: &str) -> &str {
    match mode {
        "verify-full" | "verify-ca" => "require",
        "allow" => "prefer",
        other => other,
    }
}

fn yes_or_no(word: &str) -> Result<bool, StoreError> {
    match word {
        "true" | "1" | "yes" | "on" => Ok(true),
        "false" | "0" | "no" | "off" => Ok(false),
        _ => Err(fail::refused(
            "postgres-url",
            format!("pgbouncer={word} is not understood; write pgbouncer=true or false"),
        )),
    }
}

fn unescape(text: &str) -> String {
    text.replace("%2F", "/").replace("%2f", "/").replace("%20", " ")
}

fn check_schema(name: &str) -> Result<(), StoreError> {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    let begins = name.bytes().next().is_some_and(|first| first.is_ascii_lowercase() || first == b'_');
    if begins && name.len() <= MAX_SCHEMA && name.bytes().all(is_plain) && !name.starts_with("pg_") {
        return Ok(());
    }
    Err(fail::refused(
        "postgres-schema-name",
        format!(
            "the schema name {name:?} is not usable; write 1 to {MAX_SCHEMA} of the characters a-z 0-9 _ that begin with \
             a letter, and not with pg_"
        ),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_we_know_is_taken_out_of_the_url() {
        let url = "postgres://u:p@h/db?schema=orders&sslmode=verify-full&pgbouncer=true&sslrootcert=%2Fca.pem&application_name=a";
        let (options, tls) = Options::new(url).read_url().unwrap();
        assert_eq!(options.url, "postgres://u:p@h/db?sslmode=require&application_name=a");
        assert_eq!((options.schema.as_str(), options.transaction_pooling), ("orders", true));
        assert_eq!((tls.mode.as_deref(), tls.root_cert.as_deref()), (Some("verify-full"), Some("/ca.pem")));
    }

    #[test]
    fn a_password_may_have_a_question_mark() {
        let (options, _) = Options::new("postgres://u:p?q@h/db?schema=orders").read_url().unwrap();
        assert_eq!((options.url.as_str(), options.schema.as_str()), ("postgres://u:p?q@h/db", "orders"));
    }

    #[test]
    fn who_says_whom_to_trust_is_not_answered_in_the_open() {
        let (options, _) = Options::new("postgres://h/db?sslrootcert=/ca.pem").read_url().unwrap();
        assert_eq!(options.url, "postgres://h/db?sslmode=require");
        let (options, _) = Options::new("postgres://h/db?sslrootcert=/ca.pem&sslmode=prefer").read_url().unwrap();
        assert_eq!(options.url, "postgres://h/db?sslmode=prefer", "it was said");
    }

    #[test]
    fn a_word_that_is_not_understood_is_not_taken_for_no() {
        for (word, wanted) in [("true", Some(true)), ("off", Some(false)), ("True", None), ("", None)] {
            let read = Options::new(format!("postgres://h/db?pgbouncer={word}")).read_url();
            assert_eq!(read.ok().map(|(options, _)| options.transaction_pooling), wanted, "{word:?}");
        }
    }

    #[test]
    fn a_name_that_would_need_quotes_is_refused() {
        for name in ["", "Orders", "a-b", "pg_x", "1a", "a;drop", &"a".repeat(41)] {
            let error = Options::new("postgres://h/db").schema(name).read_url().unwrap_err();
            assert!(error.to_string().contains("schema name"), "{error}");
        }
    }
}
