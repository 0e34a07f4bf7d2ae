//! What all requests of a service share.

use crate::asked::Requests;
use crate::audit::Audit;
use crate::auth::{Access, Principal, Sessions};
use crate::feed::Feed;
use crate::limits::{Buckets, Limits, Whose};
use crate::origin::Hosts;
use crate::rooms::Room;
use std::net::IpAddr;
use std::sync::Arc;
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
    pub(crate) requests: Arc<Room>,
    /// Room for requests whose sender is known when their body was read.
    pub(crate) unknown: Arc<Room>,
    /// Room for those who wait for a run's end.
    pub(crate) waits: Arc<Room>,
    /// Room for streams.
    pub(crate) streams: Arc<Room>,
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
            sessions: Sessions::new(&limits),
            hosts,
            audit,
            asked: Requests::default(),
            callbacks,
            feed: Feed::default(),
            requests: Room::new(limits.requests, limits.requests_each),
            unknown: Room::new(limits.unknown, limits.unknown_each),
            waits: Room::new(limits.waits, limits.waits_each),
            streams: Room::new(limits.streams, limits.streams_each),
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

    /// Whom a request is counted for; nobody in particular when anybody may do everything and it comes from this machine.
    pub(crate) fn whose(&self, who: &Principal, peer: Option<IpAddr>) -> Option<Whose> {
        if !self.access.is_open() {
            return Some(Whose::Name(who.name().to_owned()));
        }
        peer.filter(|peer| !peer.is_loopback()).map(Whose::Address)
    }
}
