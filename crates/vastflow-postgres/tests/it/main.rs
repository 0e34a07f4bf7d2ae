//! What a PostgreSQL store is held to.

mod conformance;
mod differential;
mod faulty;
mod opening;
mod races;
mod support;
