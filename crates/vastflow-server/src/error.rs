//! Why a service does not listen.

use std::fmt;
use std::net::SocketAddr;

/// Why a service does not listen, or stopped doing so. Its `Debug` is the same text, because that is what a `main` that
/// returns it prints.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum ServiceError {
    /// Anybody could do everything.
    #[error(
        "the service would listen on {0}, where other machines reach it, and anybody could do everything; give it `.tokens(…)` \
         or `.hmac(…)`, listen on 127.0.0.1, or say `.insecure_no_auth()` if that is what you want"
    )]
    Open(SocketAddr),
    /// The service is mounted in an application, and nothing says who may do what.
    #[error(
        "a router without `.tokens(…)` or `.hmac(…)` lets anybody do everything who reaches it; say `.insecure_no_auth()` if \
         your application looks after that"
    )]
    OpenRouter,
    /// Nobody could do the work.
    #[error(
        "this service runs no nodes, and its store belongs to one process, so nobody could run what is started here; give it the \
         flows, keep runs on Redis or PostgreSQL, or say `.read_only()` to show only"
    )]
    Alone,
    /// A setting cannot be honoured.
    #[error("{0}")]
    Setting(String),
    /// The address cannot be listened on.
    #[error("cannot listen on {at}: {why}; is another program there?")]
    Bind {
        /// The address.
        at: String,
        /// What the system said.
        why: std::io::Error,
    },
    /// The engine could not do it.
    #[error(transparent)]
    Engine(#[from] vastflow_worker::Error),
}

impl fmt::Debug for ServiceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
