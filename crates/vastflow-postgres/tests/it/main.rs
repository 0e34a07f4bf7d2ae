//! What a PostgreSQL store is held to.

mod conformance;
mod differential;
mod support;
