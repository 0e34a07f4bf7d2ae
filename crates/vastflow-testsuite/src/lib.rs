//! Proves that a store is one.
//!
//! The contract of [`Store`](vastflow_store::Store) is prose; this crate is the same contract as tests, so that every
//! backend, ours or a third party's, is held to one meaning of it. The tools:
//!
//! - [`conformance!`] stamps out one test for each rule, by topic, with a fresh store each ([`cases`]).
//! - [`differential`] drives the store and the specification ([`Ledger`](vastflow_store::Ledger)) with the same random
//!   steps and compares every answer and all of the state; a failure prints its seed. [`law2`] checks the queue alone.
//! - [`copying`] copies runs of random plans from one store to another, compares, and carries both to their ends.
//! - [`own_clock`] holds a store that has a clock of its own to it, whatever its workers say.
//! - [`Faulty`] makes any store lose answers, fail, hesitate, or die at its n-th commit.
//! - [`servers`] starts real servers for stores that need one, and kills, stops and restarts them.
//!
//! This is how a third party proves a store:
//!
//! ```
//! use std::sync::Arc;
//! use vastflow_store::{MemoryStore, Store};
//!
//! /// Called once a test. A store that survives its process returns a `Harness` that can open it again.
//! async fn fresh() -> Arc<dyn Store> {
//!     Arc::new(MemoryStore::new())
//! }
//!
//! mod conformance {
//!     vastflow_testsuite::conformance!(super::fresh);
//! }
//! # fn main() {}
//! ```
//!
//! and, in a test of its own, a few hundred seeds of [`differential`].
//!
//! Time is virtual: all cases pass their own `now`, so a store with a clock of its own has to look at `now` while it is
//! tested.
//!
//! **Absent:** tests of what a run does (that is the core's), of engines, of speed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "in this crate panics are how tests fail")]

pub mod cases;
mod clock;
mod copying;
mod differential;
mod faulty;
pub mod fixture;
mod harness;
mod law2;
mod model;
mod phoenix;
mod probe;
mod rng;
pub mod servers;

pub use clock::own_clock;
pub use copying::{CopyTally, copying, steadily};
pub use differential::{Divergence, Tally, differential};
pub use faulty::{Chances, Fault, Faults, Faulty};
pub use harness::{Case, Failed, Harness, failures, run_case};
pub use law2::law2;
pub use phoenix::Phoenix;
pub use probe::{Probe, Snapshot, TaskView};
