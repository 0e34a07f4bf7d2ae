//! What all requests of a service share.

use crate::asked::Requests;
use crate::audit::Audit;
use crate::auth::{Access, Principal, Sessions};
use crate::feed::Feed;
use crate::lately::Lately;
use crate::limits::{Buckets, Limits, Whose};
use crate::origin::Hosts;
use crate::problem::Answer;
use crate::rooms::Room;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use vastflow_api::run::Counts;
use vastflow_callback::Callbacks;
use vastflow_worker::Engine;

/// How old counts may be: each page of the dashboard asks for them again and again, and a database counts all its runs.
const COUNTS: Duration = Duration::from_secs(2);
/// How old it may be that the store answers.
const ANSWERS: Duration = Duration::from_secs(1);

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
    /// How many runs there are of each status.
    pub(crate) counts: Lately<Answer<Counts>>,
    /// Whether the store answers.
    pub(crate) answers: Lately<Answer<()>>,
    /// Room for connections.
    pub(crate) connections: Arc<Room>,
    /// How many were turned away without an answer.
    pub(crate) turned_away: AtomicU64,
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
            counts: Lately::new(COUNTS),
            answers: Lately::new(ANSWERS),
            connections: Room::new(limits.connections, limits.connections_each),
            turned_away: AtomicU64::new(0),
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
        App::at(peer)
    }

    /// An address that counts: this machine's own do not.
    pub(crate) fn at(peer: Option<IpAddr>) -> Option<Whose> {
        peer.filter(|peer| !peer.to_canonical().is_loopback()).map(Whose::at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::Tokens;
    use crate::service::Service;
    use vastflow_store::MemoryStore;

    #[tokio::test]
    async fn who_has_a_name_is_counted_by_it_and_others_by_where_they_are() {
        let service = || Service::new(Engine::on(Arc::new(MemoryStore::new())));
        let open = service().app(None, false).await.unwrap();
        let whose = |app: &App, peer: &str| app.whose(&Principal::anyone(), peer.parse().ok());
        for spared in ["", "127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"] {
            assert_eq!(whose(&open, spared), None, "{spared:?}");
        }
        for counted in ["192.0.2.1", "2001:db8::1"] {
            assert_eq!(whose(&open, counted), counted.parse().ok().map(Whose::at));
        }
        assert_eq!(whose(&open, "2001:db8::1"), whose(&open, "2001:db8::2"));
        let named = service().tokens(Tokens::fixed()).app(None, false).await.unwrap();
        for anywhere in ["", "127.0.0.1", "192.0.2.1"] {
            assert_eq!(whose(&named, anywhere), Some(Whose::Name("local".into())), "{anywhere}");
        }
    }
}
