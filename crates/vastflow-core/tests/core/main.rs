//! The tests of the core: no I/O, no clock, no threads. Most of them are text; see [`dsl`] for how to read it.
#![allow(missing_docs, reason = "tests are named as sentences")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking; clippy.toml allows it only inside of #[test]"
)]

mod dsl;

mod again;
mod basins;
mod branches;
mod codec;
mod context;
mod control;
mod deadlines;
mod foreach;
mod graph;
mod hooks;
mod ids;
mod inner_plans;
mod joins;
mod limits;
mod pictures;
mod plans;
mod property;
mod rejections;
mod rescue;
mod retries;
mod river;
mod schemas;
mod signals;
mod sim;
mod stopping;
mod timelines;
mod transitions;
mod undo;
mod view;
mod whole;
