//! Ids that are given, not drawn: so that a span is the same one whoever sends it.

use opentelemetry::trace::{SpanId, TraceId};
use opentelemetry_sdk::trace::{IdGenerator, RandomIdGenerator};
use std::cell::Cell;
use vastflow_core::TraceContext;

thread_local! {
    static NEXT: Cell<Option<TraceContext>> = const { Cell::new(None) };
}

/// Gives the next span of this thread the ids that were said for it.
#[derive(Debug, Default)]
pub(crate) struct Given(RandomIdGenerator);

/// Makes a span with these ids.
pub(crate) fn with_ids<T>(ids: TraceContext, make: impl FnOnce() -> T) -> T {
    NEXT.set(Some(ids));
    let made = make();
    NEXT.set(None);
    made
}

impl IdGenerator for Given {
    fn new_trace_id(&self) -> TraceId {
        NEXT.get().map_or_else(|| self.0.new_trace_id(), |ids| TraceId::from(ids.trace_id))
    }

    fn new_span_id(&self) -> SpanId {
        NEXT.get().map_or_else(|| self.0.new_span_id(), |ids| SpanId::from(ids.span_id))
    }
}
