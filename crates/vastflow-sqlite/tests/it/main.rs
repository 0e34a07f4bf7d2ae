//! The store on a disk: held to the contract of every store, killed, filled up, looked at from outside.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "panics are how tests fail")]

mod conformance;
mod copies;
mod crash;
mod disk;
mod keep;
mod look;
mod read;
mod reopen;
mod suspects;
