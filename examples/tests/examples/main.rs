//! The examples, run as a reader runs them, and killed as no reader would.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail as tests do")]

mod attach_volume;
mod checker;
mod inspect;
mod process;
mod quickstart;
mod random;
