//! What all requests of a service share.

use crate::asked::Requests;
use crate::audit::Audit;
use crate::auth::{Access, Sessions};
use crate::feed::Feed;
use crate::limits::{Buckets, Limits};
use crate::origin::Hosts;
use rustc_hash::FxHashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use vastflow_callback::Callbacks;
use vastflow_worker::Engine;

/// What all requests of a service share.
pub(crate) struct App {
    pub(crate) engine: Engine,
    pub(crate) access: Access,
    pub(crate) sessions: Sessions,
    pub(crate) hosts: Hosts,
    pub(crate) limits: Limits,
    pub(crate) audit: Audit,
    pub(crate) asked: Requests,
    pub(crate) callbacks: Option<Callbacks>,
    pub(crate) feed: Feed,
    /// Room for requests.
    pub(crate) requests: Arc<Semaphore>,
    /// Room for streams.
    pub(crate) streams: Arc<Semaphore>,
    /// Streams of each.
    streams_of: Mutex<FxHashMap<String, usize>>,
    pub(crate) rate: Buckets,
    pub(crate) failures: Buckets,
    /// Whether requests are not counted that come from this machine.
    pub(crate) spares_local: bool,
    /// Anyone may do everything, from anywhere: it was said in so many words.
    pub(crate) is_insecure: bool,
    /// Whether the service speaks TLS itself.
    pub(crate) has_tls: bool,
    /// Whether the dashboard is at the paths that are nobody's.
    pub(crate) has_dashboard: bool,
    /// Whether nobody may change anything.
    pub(crate) is_read_only: bool,
    /// What stands before all paths: nothing, or `/ops`.
    pub(crate) base_path: String,
    /// Set when the service is about to end: whoever waits is sent away.
    pub(crate) closing: CancellationToken,
}

/// What a service is made of.
pub(crate) struct Parts {
    pub(crate) engine: Engine,
    pub(crate) access: Access,
    pub(crate) hosts: Hosts,
    pub(crate) limits: Limits,
    pub(crate) audit: Audit,
    pub(crate) callbacks: Option<Callbacks>,
    pub(crate) is_insecure: bool,
    pub(crate) has_tls: bool,
    pub(crate) has_dashboard: bool,
    pub(crate) is_read_only: bool,
    pub(crate) base_path: String,
}

impl App {
    pub(crate) fn new(parts: Parts) -> Arc<Self> {
        let Parts {
            engine,
            access,
            hosts,
            limits,
            audit,
            callbacks,
            is_insecure,
            has_tls,
            has_dashboard,
            is_read_only,
            base_path,
        } = parts;
        let (per_second, burst) = limits.rate.unwrap_or((100, 200));
        Arc::new(App {
            engine,
            access,
            sessions: Sessions::new(limits.session_time, limits.session_idle),
            hosts,
            audit,
            asked: Requests::default(),
            callbacks,
            feed: Feed::default(),
            requests: Arc::new(Semaphore::new(limits.requests)),
            streams: Arc::new(Semaphore::new(limits.streams)),
            streams_of: Mutex::default(),
            rate: Buckets::new(f64::from(per_second), burst),
            // Ten a minute.
            failures: Buckets::new(1.0 / 6.0, 10),
            spares_local: limits.rate.is_none(),
            limits,
            is_insecure,
            has_tls,
            has_dashboard,
            is_read_only,
            base_path,
            closing: CancellationToken::new(),
        })
    }

    /// Takes one of the streams that somebody may have; none when they have enough.
    pub(crate) fn take_stream(self: &Arc<Self>, who: &str) -> Option<StreamPlace> {
        let room = Arc::clone(&self.streams).try_acquire_owned().ok()?;
        let mut all = self.streams_of.lock().unwrap_or_else(PoisonError::into_inner);
        let own = all.entry(who.to_owned()).or_default();
        if *own >= self.limits.streams_each {
            return None;
        }
        *own += 1;
        Some(StreamPlace { app: Arc::clone(self), who: who.to_owned(), _room: room })
    }
}

/// The place of one stream, given back when it is dropped.
pub(crate) struct StreamPlace {
    app: Arc<App>,
    who: String,
    _room: tokio::sync::OwnedSemaphorePermit,
}

impl Drop for StreamPlace {
    fn drop(&mut self) {
        let mut all = self.app.streams_of.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = all.get_mut(&self.who) {
            *own -= 1;
            if *own == 0 {
                all.remove(&self.who);
            }
        }
    }
}
