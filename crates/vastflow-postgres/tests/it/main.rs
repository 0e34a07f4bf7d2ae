//! What a PostgreSQL store is held to.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "panics are how tests fail")]

mod conformance;
mod differential;
mod faulty;
mod opening;
mod races;
mod support;
