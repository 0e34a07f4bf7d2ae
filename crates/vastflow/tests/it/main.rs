//! The engine through the façade: the acceptance cases, what a program sees of its runs, crashes, faults, width.
#![allow(missing_docs, unreachable_pub, reason = "tests are read, not linked to")]
#![allow(elided_lifetimes_in_paths, reason = "users write `Node<u32>`, and so do tests")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "in tests panics are how they fail")]

mod andes_cases;
mod child_runs;
mod control;
mod copies;
mod crash_points;
mod ctx;
mod ends;
mod faults;
mod fleet;
mod graph_cases;
mod killed;
mod leases;
mod lives;
mod looks;
mod poison;
mod postgres;
mod refused;
mod retention;
mod river_cases;
mod rivers;
mod room;
mod scope_cases;
mod servers;
mod starts;
mod stored;
mod support;
mod together;
mod tries;
mod units;
mod watched;
mod wide;
