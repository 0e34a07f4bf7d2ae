//! What a PostgreSQL store is held to.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "in tests panics are how they fail")]

mod conformance;
mod copies;
mod differential;
mod faulty;
mod large;
mod life;
mod line;
mod opening;
mod parts;
mod plain;
mod pooled;
mod races;
mod support;
