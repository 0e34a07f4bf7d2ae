//! The in-memory store, held to the contract that it is the measure of.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "in tests panics are how they fail")]

mod copies;
mod differential;
mod faulty;
mod planted;

mod conformance {
    use std::sync::Arc;
    use vastflow_store::{MemoryStore, Store};

    vastflow_testsuite::conformance!(|| async { Arc::new(MemoryStore::new()) as Arc<dyn Store> });
}

mod conformance_reopened {
    vastflow_testsuite::conformance!(|| async { vastflow_testsuite::Phoenix::default() });
}
