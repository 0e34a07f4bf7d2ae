//! Callbacks: tells others how runs ended.
//!
//! A callback is a run of the flow [`FLOW`], under an id that follows from the run that it is about: so it is recorded once,
//! goes on after a crash, is retried with growing waits, is listed like any run, fails like any run, and is sent again by
//! `retry` or `rerun`. What is here besides is the way out, and who may be told anything:
//!
//! ```text
//!  run R ── ends ──▶ R.callback: [ signal "ended" or a look now and then ] ─▶ deliver ─▶ allowed? ─▶ resolve ─▶ connect
//!                                                                            (scheme, host, port)  (address)   (that address)
//! ```
//!
//! Nobody may be told anything until [`Callbacks::allow`] names them. The address is looked at when it is connected to, and
//! that very address is connected to: a name that leads into the network that this runs in leads nowhere. Redirects are not
//! followed.
//!
//! **Absent:** proxies from the environment, cookies, credentials, any URL that a run's output could choose.

mod client;
mod deliver;
mod network;
mod target;

pub use client::Resolve;
pub use deliver::FLOW;
pub use target::Refused;

use crate::client::{Client, System};
use crate::network::Network;
use crate::target::{Allowed, Target};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use vastflow_sdk::Retry;
use vastflow_worker::{Engine, Error, Run};

/// How long a receiver may take.
const TIMEOUT: Duration = Duration::from_secs(15);
/// How often is looked whether a run has ended of whose end nobody said anything.
const LOOK: Duration = Duration::from_secs(30);
/// The least bytes of a secret to sign with.
const SECRET: usize = 16;

/// Who may be told how runs ended, and how they are told.
///
/// ```
/// use vastflow_callback::Callbacks;
///
/// let callbacks = Callbacks::signed(b"0123456789abcdef0123456789abcdef")?.allow("https://hooks.example.com")?;
/// assert!(callbacks.check("https://hooks.example.com/orders?x=1").is_ok());
/// assert!(callbacks.check("https://elsewhere.example.com/").is_err());
/// # Ok::<(), vastflow_callback::CallbackError>(())
/// ```
#[derive(Clone)]
pub struct Callbacks {
    allowed: Vec<Allowed>,
    networks: Vec<Network>,
    secret: Arc<[u8]>,
    timeout: Duration,
    look: Duration,
    retry: Retry,
    resolver: Arc<dyn Resolve>,
}

/// What is wrong with how callbacks are set up.
#[derive(Debug, thiserror::Error)]
pub enum CallbackError {
    /// A secret that is too short.
    #[error(
        "a secret to sign callbacks with needs at least 16 bytes, and this has {0}; make one: openssl rand -base64 32"
    )]
    Secret(usize),
    /// Something that is no address.
    #[error(
        "{0:?} names nobody to be called back; write https://hooks.example.com, https://*.example.com or http://10.0.0.7:9000"
    )]
    Address(String),
    /// Something that is no network.
    #[error("{0:?} is no network; write 10.0.0.0/8")]
    Network(String),
}

impl Callbacks {
    /// Callbacks that are signed with this secret, to nobody yet. At least 16 bytes.
    ///
    /// # Errors
    /// [`CallbackError::Secret`].
    pub fn signed(secret: impl AsRef<[u8]>) -> Result<Self, CallbackError> {
        let secret = secret.as_ref();
        if secret.len() < SECRET {
            return Err(CallbackError::Secret(secret.len()));
        }
        Ok(Callbacks {
            allowed: Vec::new(),
            networks: Vec::new(),
            secret: secret.into(),
            timeout: TIMEOUT,
            look: LOOK,
            // Fifteen tries over nearly nine hours.
            retry: Retry::times(14)
                .exponential(Duration::from_secs(5))
                .max_interval(Duration::from_secs(7_200))
                .jitter(20),
            resolver: Arc::new(System),
        })
    }

    /// Allows for a scheme, host and port: `https://hooks.example.com`, `https://*.example.com:8443` for all names below,
    /// `http://10.0.0.7:9000` for an address, which may then be one of this network or machine.
    ///
    /// # Errors
    /// [`CallbackError::Address`].
    pub fn allow(mut self, origin: &str) -> Result<Self, CallbackError> {
        self.allowed.push(Allowed::parse(origin).ok_or_else(|| CallbackError::Address(origin.to_owned()))?);
        Ok(self)
    }

    /// Lets names that are allowed lead into this network, such as `10.0.0.0/8`. Unless it is said, no name leads into
    /// networks that are not the internet's.
    ///
    /// # Errors
    /// [`CallbackError::Network`].
    pub fn allow_network(mut self, network: &str) -> Result<Self, CallbackError> {
        self.networks.push(Network::parse(network).ok_or_else(|| CallbackError::Network(network.to_owned()))?);
        Ok(self)
    }

    /// How long a receiver may take; 15 s unless said.
    #[must_use]
    pub const fn timeout(mut self, limit: Duration) -> Self {
        self.timeout = limit;
        self
    }

    /// How often, and how soon, it is tried again; 14 times within nine hours unless said. All engines must say the same: it
    /// is part of the flow's plan.
    #[must_use]
    pub const fn retry(mut self, policy: Retry) -> Self {
        self.retry = policy;
        self
    }

    /// How often is looked whether a run has ended of whose end nobody said anything; 30 s unless said.
    #[must_use]
    pub const fn look_every(mut self, interval: Duration) -> Self {
        self.look = interval;
        self
    }

    /// Who says which addresses a name has; the system unless said.
    #[must_use]
    pub fn resolver(mut self, resolver: impl Resolve) -> Self {
        self.resolver = Arc::new(resolver);
        self
    }

    /// Whether somebody may be called back at this URL. Which address it leads to is looked at when it is called.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn check(&self, url: &str) -> Result<(), Refused> {
        self.target(url).map(drop)
    }

    fn target(&self, url: &str) -> Result<Target, Refused> {
        let target = Target::parse(url)?;
        let is_allowed = self.allowed.iter().any(|allowed| allowed.fits(&target));
        if is_allowed { Ok(target) } else { Err(Refused::NotAllowed { origin: target.origin() }) }
    }

    fn client(&self) -> Client {
        Client {
            networks: self.networks.clone().into(),
            resolver: Arc::clone(&self.resolver),
            timeout: self.timeout,
            tls: client::tls(),
        }
    }

    /// Records that somebody wants to be told how a run ends. Asking again is the same callback.
    ///
    /// # Errors
    /// [`Error::Setting`] when the address is not allowed, or the engine's store has no engine that serves [`FLOW`];
    /// [`Error::AlreadyExists`] when another address is to be told of that run.
    pub async fn ask(&self, engine: &Engine, run: &Run, url: &str) -> Result<Run, Error> {
        self.check(url).map_err(|refused| Error::Setting(refused.to_string()))?;
        deliver::ask(engine, run, url).await
    }
}

impl fmt::Debug for Callbacks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Callbacks").field("allowed", &self.allowed).finish_non_exhaustive()
    }
}
