//! Flows under test, and whether the test kit does with them what it says.
#![allow(missing_docs, unreachable_pub, reason = "tests are read, not linked to")]
#![allow(elided_lifetimes_in_paths, reason = "users write `Node<u32>`, and so do tests")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "in tests panics are how they fail")]

mod again;
mod chaos;
mod clock;
mod control;
mod drills;
mod faults;
mod room;
mod seeds;
mod support;
