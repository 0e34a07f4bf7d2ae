//! The store on a real server: held to the contract of every store, killed, stopped, set up wrongly.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "panics are how tests fail")]

mod bounded;
mod conformance;
mod copies;
mod engines;
mod faulty;
mod place;
mod scripts;
mod server;
