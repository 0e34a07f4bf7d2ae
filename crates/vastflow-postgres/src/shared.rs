//! What all parts of an open store share.

use crate::connect::Connections;
use crate::hints::Hints;
use crate::options::Options;
use std::sync::atomic::{AtomicBool, Ordering};
use vastflow_core::Timestamp;
use vastflow_store::StoreError;

pub(crate) struct Shared {
    pub(crate) options: Options,
    pub(crate) connections: Connections,
    pub(crate) hints: Hints,
    /// Tells this opening of the store from others, also in this process.
    pub(crate) name: String,
    pub(crate) sql: Statements,
    is_closed: AtomicBool,
}

/// The calls of the server's functions, with the schema's name in them.
pub(crate) struct Statements {
    pub(crate) commit: String,
    pub(crate) commit_plain: String,
    pub(crate) claim: String,
    pub(crate) release: String,
    pub(crate) heartbeat: String,
    pub(crate) sweep: String,
    pub(crate) prune: String,
}

impl Statements {
    fn new(schema: &str) -> Self {
        let call = |function: &str, parameters: usize| {
            let places: Vec<String> = (1..=parameters).map(|at| format!("${at}")).collect();
            format!("SELECT * FROM {schema}.{function}({})", places.join(", "))
        };
        Statements {
            commit: call("commit_2", 47),
            commit_plain: call("commit_plain_1", 41),
            claim: call("claim_1", 17),
            release: call("release_1", 5),
            heartbeat: call("heartbeat_1", 5),
            sweep: call("sweep_1", 3),
            prune: call("prune_1", 6),
        }
    }
}

/// The times that a function of the server is called with; none of them when the server's own clock counts.
#[derive(Clone, Copy)]
pub(crate) struct Clock {
    /// The latest time heard of.
    pub(crate) heard: Option<i64>,
    /// Up to when tasks were made visible.
    pub(crate) ripe: Option<i64>,
}

impl Shared {
    pub(crate) fn new(options: Options, connections: Connections, name: String) -> Self {
        let sql = Statements::new(&options.schema);
        let is_closed = AtomicBool::new(false);
        Shared { options, connections, hints: Hints::new(), name, sql, is_closed }
    }

    /// # Errors
    /// [`StoreError::Closed`] after the store was closed.
    pub(crate) fn open(&self) -> Result<(), StoreError> {
        if self.is_closed.load(Ordering::Acquire) { Err(closed()) } else { Ok(()) }
    }

    pub(crate) fn close(&self) {
        self.is_closed.store(true, Ordering::Release);
        self.connections.close();
    }

    /// Somebody said what time it is.
    pub(crate) fn hear(&self, now: Timestamp) -> Clock {
        let Some(time) = &self.options.virtual_time else { return Clock { heard: None, ripe: None } };
        let heard = time.latest.fetch_max(now.millis(), Ordering::AcqRel).max(now.millis());
        let ripe = time.claimed.load(Ordering::Acquire);
        Clock { heard: Some(heard.cast_signed()), ripe: Some(ripe.cast_signed()) }
    }

    /// A claim makes visible what is due. Gives the time as the caller has it, where that counts.
    pub(crate) fn ripen(&self, now: Timestamp) -> Option<i64> {
        let time = self.options.virtual_time.as_ref()?;
        time.claimed.fetch_max(now.millis(), Ordering::AcqRel);
        self.told(now)
    }

    /// The time as the caller has it, where that counts.
    pub(crate) fn told(&self, now: Timestamp) -> Option<i64> {
        self.hear(now);
        self.options.virtual_time.is_some().then(|| now.millis().cast_signed())
    }
}

/// What is answered after the end.
pub(crate) fn closed() -> StoreError {
    StoreError::Closed { why: "it was closed; open it again".into() }
}
