//! The tests of the SDK: what drawings become, what is refused and in which words. Nothing is run by an engine; see
//! [`support`] for how single calls are made.
#![allow(missing_docs, reason = "tests are named as sentences")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking; clippy.toml allows it only inside of #[test]"
)]
#![allow(elided_lifetimes_in_paths, reason = "drawings stand here as users write them: `Node<u32>`")]

mod support;

mod andes;
mod calls;
mod dag;
mod data;
mod errors;
mod golden;
mod graph;
mod headwaters;
mod library;
mod misfit;
mod rivers;
mod size;
