//! Those who are told what runs and calls were like: how a run is seen in other systems, such as traces.

use std::time::Duration;
use vastflow_core::run::{Reply, RunSummary};
use vastflow_core::{RunId, TraceContext};
use vastflow_sdk::Ctx;

/// Is told what runs and calls were like. It is called on the engine's threads: it must not block, and a panic of it is the
/// engine's.
///
/// ```
/// use vastflow_worker::{CallSeen, Observer};
///
/// struct Slow;
///
/// impl Observer for Slow {
///     fn called(&self, call: &CallSeen<'_>) {
///         if call.took().as_secs() > 10 {
///             println!("{} of {} is slow", call.ctx().node(), call.ctx().flow());
///         }
///     }
/// }
/// # let engine = vastflow_worker::Engine::on(std::sync::Arc::new(vastflow_store::MemoryStore::new()));
/// let engine = engine.observer(Slow);
/// ```
pub trait Observer: Send + Sync + 'static {
    /// A run has begun: it is recorded.
    fn began(&self, run: &RunSeen<'_>) {
        let _ = run;
    }

    /// A call has ended here, whether its answer will be recorded or not.
    fn called(&self, call: &CallSeen<'_>) {
        let _ = call;
    }

    /// A run has ended: it is recorded. One of the engines of a store tells so, and it may have begun on another.
    fn ended(&self, run: &RunSeen<'_>) {
        let _ = run;
    }
}

/// A run, as an observer sees it.
#[derive(Clone, Copy, Debug)]
pub struct RunSeen<'a> {
    id: &'a RunId,
    summary: &'a RunSummary,
}

impl<'a> RunSeen<'a> {
    /// A run as its summary has it; for tests of observers, too.
    #[must_use]
    pub const fn of(id: &'a RunId, summary: &'a RunSummary) -> Self {
        RunSeen { id, summary }
    }

    /// Its id.
    #[must_use]
    pub const fn id(&self) -> &'a RunId {
        self.id
    }

    /// The run in short. Input and output are in it: they are nobody's business outside.
    #[must_use]
    pub const fn summary(&self) -> &'a RunSummary {
        self.summary
    }

    /// Its place among traces.
    #[must_use]
    pub fn trace(&self) -> TraceContext {
        TraceContext::of_run(self.id, self.summary.started.info.trace.as_deref())
    }
}

/// A call that has ended, as an observer sees it.
#[derive(Clone, Copy, Debug)]
pub struct CallSeen<'a> {
    ctx: &'a Ctx,
    reply: &'a Reply,
    took: Duration,
}

impl<'a> CallSeen<'a> {
    pub(crate) const fn new(ctx: &'a Ctx, reply: &'a Reply, took: Duration) -> Self {
        CallSeen { ctx, reply, took }
    }

    /// The call: its run, node, attempt, when it began.
    #[must_use]
    pub const fn ctx(&self) -> &'a Ctx {
        self.ctx
    }

    /// What it answered. Results are in it: they are nobody's business outside.
    #[must_use]
    pub const fn reply(&self) -> &'a Reply {
        self.reply
    }

    /// How long it took.
    #[must_use]
    pub const fn took(&self) -> Duration {
        self.took
    }
}
